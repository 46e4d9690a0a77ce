#include "cli/table.h"

#include <gtest/gtest.h>

#include "cli/help_format.h"
#include "cli/progress.h"
#include "qdq/error.h"

namespace qdq::cli {
namespace {

TEST(Table, PutsTextLeftAndNumbersRight) {
  Table table({{"op"}, {"count", true}});
  table.add({"conv2d", "11"});
  table.add({"add", "4"});
  EXPECT_EQ(table.to_string(),
            "  op      count\n"
            "  conv2d     11\n"
            "  add         4\n");
}

TEST(Table, LeavesNoSpacesAtTheEnd) {
  Table table({{"op"}, {"note"}});
  table.add({"conv2d", ""});
  EXPECT_EQ(table.to_string(), "  op      note\n  conv2d\n");
}

TEST(Table, RefusesARowOfAnotherLength) {
  Table table({{"op"}, {"count", true}});
  EXPECT_THROW(table.add({"conv2d"}), InternalError);
}

TEST(Grouped, PutsACommaBeforeEachGroupOfThreeDigits) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(-1000), "-1,000");
  EXPECT_EQ(grouped(-100), "-100");
}

TEST(Table, PutsHeadingsAboveTheRowsThatFollow) {
  Table table({{"name"}, {"n", true}});
  table.add_heading("a heading wider than the table");
  table.add({"a", "1"});
  table.add_heading("nothing below");
  EXPECT_EQ(table.to_string(false),
            "  name  n\n"
            "  a heading wider than the table\n"
            "  a     1\n"
            "  nothing below\n");
  EXPECT_TRUE(table.to_string(true).ends_with("\x1b[1m  nothing below\x1b[0m\n"));
}

TEST(Percent, SaysNothingOfNothing) {
  EXPECT_EQ(percent(1, 4), "25.0 %");
  EXPECT_EQ(percent(0, 0), "-");
}

TEST(Seconds, ShowsMilliseconds) {
  EXPECT_EQ(seconds(0.0421), "0.042 s");
  EXPECT_EQ(seconds(12.34), "12.3 s");
}

TEST(ProgressLine, ShowsTheShareDoneAndTheTimeLeft) {
  EXPECT_EQ(progress_line("calibrate", 1024, 4096, 5.0),
            "calibrate  [#######-----------------------]  1,024 / 4,096  15 s left");
}

TEST(ProgressLine, WritesLongTimesInMinutesAndHours) {
  EXPECT_TRUE(progress_line("run", 1, 2, 65).ends_with("1 min 05 s left"));
  EXPECT_TRUE(progress_line("run", 1, 2, 3720).ends_with("1 h 02 min left"));
}

TEST(Wrap, BreaksAtSpaces) {
  EXPECT_EQ(wrap("one two three", 7), "one two\nthree");
  EXPECT_EQ(wrap("incompressible", 4), "incompressible");
  EXPECT_EQ(wrap("", 4), "");
}

}  // namespace
}  // namespace qdq::cli
