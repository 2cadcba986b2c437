// The coroutine type of the whole daemon. This is the one place where an Asio type is visible outside
// runtime/: contracts such as storage/engine.h return Task<Result<T>>.
//
// Rules (docs/architecture.md, Threads): parameters by value; no co_await in a catch block; after a
// co_await iterators and references into shared state are dead; name an aggregate or lambda first,
// then await the call that takes it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

namespace tidegate {

using Executor = boost::asio::io_context::executor_type;

template <class T = void>
using Task = boost::asio::awaitable<T, Executor>;

}  // namespace tidegate
