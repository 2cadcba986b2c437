// Marks of processes that are alive, gone, or not to be told from here.
#include "tidegate/base/process_mark.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace tidegate {
namespace {

// A child that says its mark and then waits to be killed.
struct Child {
  Child() {
    std::array<int, 2> pipe_ends{};
    if (pipe(pipe_ends.data()) != 0) return;
    pid = fork();
    if (pid == 0) {
      const std::string own = process_mark();
      if (write(pipe_ends[1], own.data(), own.size()) < 0) _exit(1);
      close(pipe_ends[1]);
      for (;;) pause();
    }
    close(pipe_ends[1]);
    std::array<char, 512> buffer{};
    for (ssize_t got = 0; (got = read(pipe_ends[0], buffer.data(), buffer.size())) > 0;) {
      mark.append(buffer.data(), static_cast<std::size_t>(got));
    }
    close(pipe_ends[0]);
  }
  ~Child() {
    if (pid <= 0) return;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  Child(const Child&) = delete;

  pid_t pid = -1;
  std::string mark;
};

// `mark` with the part at `index` made another one.
std::string with_part(std::string mark, int index, const std::string& part) {
  std::size_t from = 0;
  for (int i = 0; i < index; ++i) from = mark.find('/', from) + 1;
  return mark.replace(from, mark.find('/', from) - from, part);
}

TEST(ProcessMark, LiveProcess_HasNotEnded) {
  ASSERT_FALSE(process_mark().empty());
  EXPECT_EQ(process_mark(), process_mark());
  EXPECT_FALSE(process_has_ended(process_mark()));
  const Child child;
  ASSERT_FALSE(child.mark.empty());
  EXPECT_NE(child.mark, process_mark());
  EXPECT_FALSE(process_has_ended(child.mark));
}

TEST(ProcessMark, KilledProcess_HasEnded_AlsoWhileNobodyHasWaitedForIt) {
  Child child;
  ASSERT_FALSE(child.mark.empty());
  kill(child.pid, SIGKILL);
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child.pid), &info, WEXITED | WNOWAIT), 0);
  EXPECT_TRUE(process_has_ended(child.mark)) << "a zombie";
  ASSERT_EQ(waitpid(child.pid, nullptr, 0), child.pid);
  child.pid = -1;
  EXPECT_TRUE(process_has_ended(child.mark));
}

TEST(ProcessMark, OtherProcessOfTheSameId_HasEnded) {
  EXPECT_TRUE(process_has_ended(with_part(process_mark(), 4, "1")));
}

TEST(ProcessMark, OfElsewhere_CannotBeTold) {
  const Child child;
  for (int part = 0; part < 3; ++part) {
    // Also when no process here has that id.
    EXPECT_FALSE(process_has_ended(with_part(with_part(child.mark, 3, "999999999"), part, "other"))) << part;
  }
  for (const char* bad : {"", "/", "a/b/c/1/2", "////", "a/b/c/d"})
    EXPECT_FALSE(process_has_ended(bad)) << bad;
  EXPECT_FALSE(process_has_ended(with_part(process_mark(), 3, "0")));
  EXPECT_FALSE(process_has_ended(with_part(process_mark(), 3, "-1")));
  EXPECT_FALSE(process_has_ended(with_part(process_mark(), 3, "1x")));
}

}  // namespace
}  // namespace tidegate
