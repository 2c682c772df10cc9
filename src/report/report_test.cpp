// Pages and pictures: that text is escaped and every tag is closed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/html.h"
#include "report/svg.h"

namespace linnet::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// The innermost tag that is closed wrongly or never, or "" for a well-formed page.
std::string unclosed(const std::string& page) {
  std::vector<std::string> open;
  for (std::size_t i = page.find('<'); i != std::string::npos; i = page.find('<', i + 1)) {
    if (page[i + 1] == '!') continue;
    const std::size_t end = page.find('>', i);
    if (end == std::string::npos) return page.substr(i);
    const std::string tag = page.substr(i + 1, end - i - 1);
    if (tag.back() == '/') continue;
    const std::string name = tag.substr(0, tag.find_first_of(" \n"));
    if (name[0] != '/')
      open.push_back(name);
    else if (open.empty() || open.back() != name.substr(1))
      return name;
    else
      open.pop_back();
  }
  return open.empty() ? "" : open.back();
}

Svg picture() {
  Svg svg(200, 100, "a \"quoted\" picture");
  svg.rect(0, 0, 10, 10, Colour::kOne, "5 < 6");
  svg.line(0, 0, 10, 10, Colour::kLine, 1, true);
  svg.circle(5, 5, 2, Colour::kTwo, "tip");
  svg.circle(5, 5, 2, Colour::kTwo);
  svg.text(1, 2, "R&D", Svg::Anchor::kMiddle);
  svg.text(1, 2, "turned", Svg::Anchor::kEnd, -45);
  svg.rect(0, 0, 10, 10, Colour::kOne, "", 0.5);
  svg.curve(std::vector<std::pair<double, double>>{{1, 2}, {3, 4}}, Colour::kOne);
  return svg;
}

TEST(report, a_page_closes_every_tag_and_holds_its_pictures) {
  Page page("a title");
  page.heading("a heading");
  page.paragraph("a paragraph");
  page.figures({{"3", "things"}});
  page.card("a layer", "convolution", {{"scale", "0.5"}}, {picture().str()});
  page.command("linnet --help");
  page.table({"class", "right"}, {{"cat", "5"}, {"dog", "6"}});
  page.gallery({{"data:,", 32, "a cat", {"taken for a dog", "90 %"}}, {"data:,", 320, "a dog", {}}});
  EXPECT_EQ(unclosed(page.text()), "");
  EXPECT_THAT(page.text(), HasSubstr(picture().str()));
  EXPECT_THAT(page.text(), HasSubstr("stroke-dasharray"));
}

TEST(report, a_picture_in_a_file_of_its_own_holds_its_colours) {
  Svg svg(10, 10, "a picture");
  svg.rect(0, 0, 1, 1, Colour::kBandTwo);
  EXPECT_EQ(unclosed(svg.file()), "");
  EXPECT_THAT(svg.file(), Not(HasSubstr("var(")));
  EXPECT_THAT(svg.file(), HasSubstr("#d9822b33"));
}

TEST(report, text_cannot_become_markup) {
  const std::string evil = "<script>alert(\"&\")</script>";
  Page page(evil);
  page.heading(evil);
  page.paragraph(evil);
  page.figures({{evil, evil}});
  Svg svg(10, 10, evil);
  svg.text(0, 0, evil);
  svg.rect(0, 0, 1, 1, Colour::kOne, evil);
  page.card(evil, evil, {{evil, evil}}, {svg.str()});
  page.command(evil);
  page.table({evil}, {{evil}});
  page.gallery({{evil, 32, evil, {evil}}});
  EXPECT_THAT(page.text(), Not(HasSubstr("<script")));
  EXPECT_THAT(page.text(), Not(HasSubstr("\"&\"")));
  EXPECT_EQ(unclosed(page.text()), "");
}

TEST(report, a_page_fetches_nothing) {
  Page page("a title");
  page.card("a layer", "", {}, {picture().str()});
  const std::string text = page.text();
  EXPECT_THAT(text, Not(HasSubstr("src=")));
  EXPECT_THAT(text, Not(HasSubstr("href=")));
  EXPECT_THAT(text, Not(HasSubstr("url(")));
}

TEST(report, a_data_url_is_what_rfc_4648_says) {
  const auto encoded = [](std::string_view text) {
    return data_url("text/plain", std::as_bytes(std::span(text)));
  };
  EXPECT_EQ(encoded(""), "data:text/plain;base64,");
  EXPECT_EQ(encoded("f"), "data:text/plain;base64,Zg==");
  EXPECT_EQ(encoded("fo"), "data:text/plain;base64,Zm8=");
  EXPECT_EQ(encoded("foo"), "data:text/plain;base64,Zm9v");
  EXPECT_EQ(encoded("\xff\xfe\xfd"
                    "bar"),
            "data:text/plain;base64,//79YmFy");
}

TEST(report, ticks_are_round_numbers_inside_of_the_range) {
  EXPECT_THAT(ticks(0, 1, 5), ::testing::Pointwise(::testing::DoubleEq(), {0.0, 0.2, 0.4, 0.6, 0.8, 1.0}));
  EXPECT_THAT(ticks(1, 200, 4), ::testing::ElementsAre(50, 100, 150, 200));
  EXPECT_THAT(ticks(62, 100, 4), ::testing::ElementsAre(70, 80, 90, 100));
  EXPECT_THAT(ticks(3, 3, 4), ::testing::ElementsAre(3));
}

TEST(report, an_axis_maps_its_ends_and_bears_an_empty_range) {
  const Axis axis{.low = -1, .high = 3, .start = 100, .end = 0};
  EXPECT_EQ(axis(-1), 100);
  EXPECT_EQ(axis(3), 0);
  EXPECT_EQ((Axis{.low = 2, .high = 2, .start = 7, .end = 9}(2)), 7);
}

}  // namespace
}  // namespace linnet::report
