// Which requests are slow enough for the log, and what it says of them.
#include "support/captured_log.h"
#include "server_fixture.h"

namespace tidegate::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

// Made before the server's threads, and gone after them.
struct WithLog {
  test::CapturedLog lines;
};

class SlowRequestTest : protected WithLog, public ServerTest {
 protected:
  static ServerOptions slow_from(Duration time) {
    ServerOptions options;
    options.slow_request = time;
    return options;
  }

  // One request of each kind, answered after so long; then what the log says of it.
  std::string log_of(std::int16_t key, Duration time) {
    auto client = connect();
    const std::int32_t id = ++last_id_;
    EXPECT_TRUE(client.send(frame(key, id, "secret")));
    EXPECT_TRUE(logged("begin " + std::to_string(id)));
    harness.advance(time);
    release(id);
    EXPECT_TRUE(receive(client));
    EXPECT_TRUE(echoes(client)) << "the first is over by then";
    return lines.text();
  }

 private:
  std::int32_t last_id_ = 0;
};

TEST_F(SlowRequestTest, IsLoggedWithWhereItsTimeWentAndWithoutItsBytes) {
  start(slow_from(milliseconds(200)));
  EXPECT_EQ(log_of(kHeld, milliseconds(199)), "");
  const std::string text = log_of(kHeld, milliseconds(250));
  EXPECT_THAT(
      text, HasSubstr("event=slow_request api=Held version=0 milliseconds=250 handling_ms=250 writing_ms=0"));
  EXPECT_THAT(text, HasSubstr("error=NONE client=\"test\" "));
  EXPECT_THAT(text, Not(HasSubstr("secret")));
}

TEST_F(SlowRequestTest, OneThatIsMeantToWaitIsNot) {
  start(slow_from(milliseconds(200)));
  EXPECT_EQ(log_of(kWaiting, seconds(5)), "");
}

TEST_F(SlowRequestTest, ZeroTurnsItOff) {
  start(slow_from(Duration::zero()));
  EXPECT_EQ(log_of(kHeld, seconds(5)), "");
}

}  // namespace
}  // namespace tidegate::server
