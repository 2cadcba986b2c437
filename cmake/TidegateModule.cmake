# tidegate_module(<name> [ASIO] SOURCES ... [DEPS modules...] [LINK libraries...])
#
# One static library per module. What other modules may include of it lives in
# include/tidegate/<name>/ and is reached through a directory that holds this module's headers
# alone, so that including a module that is not in DEPS (or below one that is) does not compile.
# A nested module such as storage/embedded is named storage_embedded and gives DIR.
set(TIDEGATE_INCLUDE_FARM ${CMAKE_BINARY_DIR}/include-farm)

function(tidegate_module name)
  cmake_parse_arguments(ARG "ASIO" "DIR" "SOURCES;DEPS;LINK" ${ARGN})
  if(NOT ARG_DIR)
    set(ARG_DIR ${name})
  endif()
  set(target tidegate_${name})
  add_library(${target} STATIC ${ARG_SOURCES})

  set(public ${CMAKE_SOURCE_DIR}/include/tidegate/${ARG_DIR})
  if(EXISTS ${public})
    cmake_path(GET ARG_DIR PARENT_PATH parent)
    file(MAKE_DIRECTORY ${TIDEGATE_INCLUDE_FARM}/${name}/tidegate/${parent})
    file(CREATE_LINK ${public} ${TIDEGATE_INCLUDE_FARM}/${name}/tidegate/${ARG_DIR} SYMBOLIC)
    target_include_directories(${target} PUBLIC ${TIDEGATE_INCLUDE_FARM}/${name})
  endif()
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src/${ARG_DIR})
  foreach(dep IN LISTS ARG_DEPS)
    target_link_libraries(${target} PUBLIC tidegate_${dep})
  endforeach()
  target_link_libraries(${target} PUBLIC ${ARG_LINK})

  if(ARG_ASIO)
    target_precompile_headers(${target} REUSE_FROM tidegate_pch_asio)
  else()
    target_precompile_headers(${target} REUSE_FROM tidegate_pch_core)
  endif()
endfunction()

# tidegate_test(<name> LABEL <unit|contract|golden|...> [ASIO] [TSAN] SOURCES ... DEPS modules... [PRIVATE_OF modules...])
# A GoogleTest program whose cases are registered one by one with ctest under LABEL.
# TSAN: `./dev test --tsan` runs it too, although its label is not one of those that go there anyway.
# PRIVATE_OF opens a module's own headers (src/<module>) to its tests.
function(tidegate_test name)
  cmake_parse_arguments(ARG "ASIO;TSAN" "LABEL;TIMEOUT;PROCESSORS" "SOURCES;DEPS;LINK;PRIVATE_OF;ARGS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  foreach(dep IN LISTS ARG_DEPS)
    target_link_libraries(${name} PRIVATE tidegate_${dep})
  endforeach()
  foreach(m IN LISTS ARG_PRIVATE_OF)
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src/${m})
  endforeach()
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/test)
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gmock GTest::gtest_main)
  if(ARG_ASIO)
    target_precompile_headers(${name} REUSE_FROM tidegate_pch_test_asio)
  else()
    target_precompile_headers(${name} REUSE_FROM tidegate_pch_test)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(ARG_LABEL MATCHES "^(unit|contract|golden)$")
    add_dependencies(sanitized_tests ${name})
  else()
    add_dependencies(live_tests ${name})
  endif()
  set(labels ${ARG_LABEL})
  if(ARG_TSAN)
    add_dependencies(threaded_tests ${name})
    list(APPEND labels tsan)
  endif()
  # One ctest entry a program keeps start-up cost low; ./dev counts the cases from GoogleTest's
  # own XML report, so that each case is still one line of the count.
  set(report ${CMAKE_BINARY_DIR}/reports/${ARG_LABEL}.${name}.xml)
  add_test(NAME ${name} COMMAND ${name} --gtest_output=xml:${report} --gtest_brief=1 ${ARG_ARGS}
           WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "TIDEGATE_SOURCE_DIR=${CMAKE_SOURCE_DIR};TIDEGATE_BINARY_DIR=${CMAKE_BINARY_DIR}")
  if(TIDEGATE_SANITIZE MATCHES "thread")
    set_property(TEST ${name} APPEND PROPERTY
      ENVIRONMENT "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/test/support/tsan.supp")
  endif()
  if(ARG_PROCESSORS)
    set_tests_properties(${name} PROPERTIES PROCESSORS ${ARG_PROCESSORS})
  endif()
endfunction()
