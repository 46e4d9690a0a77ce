#include "cli/text_diff.h"

#include <gtest/gtest.h>

namespace qdq::cli {
namespace {

TEST(TextDiff, SaysNothingOfEqualTexts) {
  EXPECT_EQ(text_diff("", ""), "");
  EXPECT_EQ(text_diff("a\nb\n", "a\nb\n"), "");
}

TEST(TextDiff, ShowsChangesWithThreeLinesAroundThem) {
  EXPECT_EQ(text_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n"),
            "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

TEST(TextDiff, JoinsChangesThatAreCloserThanTheirContext) {
  EXPECT_EQ(text_diff("a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n"),
            "@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n");
  EXPECT_EQ(text_diff("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n"),
            "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n");
}

TEST(TextDiff, ShowsAMovedLineOnce) {
  EXPECT_EQ(text_diff("a\nb\nc\nd\n", "b\nc\nd\na\n"), "@@ -1,4 +1,4 @@\n-a\n b\n c\n d\n+a\n");
}

TEST(TextDiff, MatchesRepeatedLinesNextToUniqueOnes) {
  EXPECT_EQ(text_diff("x\n}\ny\n}\n", "x\n}\nz\n}\n"), "@@ -1,4 +1,4 @@\n x\n }\n-y\n+z\n }\n");
}

TEST(TextDiff, ShowsWholeTextsThatAppearOrGo) {
  EXPECT_EQ(text_diff("", "a\nb"), "@@ -0,0 +1,2 @@\n+a\n+b\n");
  EXPECT_EQ(text_diff("a\n", ""), "@@ -1,1 +0,0 @@\n-a\n");
}

}  // namespace
}  // namespace qdq::cli
