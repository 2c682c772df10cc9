#include "train/run/page.h"

#include <algorithm>

#include "data/metrics.h"
#include "image/encode.h"
#include "image/resize.h"
#include "report/html.h"
#include "report/svg.h"
#include "train/run/curves.h"

namespace linnet::train {
namespace {

using report::Colour;
using report::Svg;
using Anchor = Svg::Anchor;

constexpr int kThumbnail = 224;  ///< pixels of the longer edge, at most

std::string percent(double share, int digits = 1) { return fmt::format("{:.{}f} %", 100 * share, digits); }

std::string share_text(std::int64_t right, std::int64_t images) {
  return percent(static_cast<double>(right) / static_cast<double>(images));
}

std::string duration(double seconds) {
  const auto s = static_cast<std::int64_t>(seconds + 0.5);
  if (s < 120) return fmt::format("{} s", s);
  if (s < 7200) return fmt::format("{} min {:02} s", s / 60, s % 60);
  return fmt::format("{} h {:02} min", s / 3600, s / 60 % 60);
}

void add_figures(report::Page& page, const TrainingReport& report) {
  std::vector<std::pair<std::string, std::string>> figures;
  if (const auto& r = report.result; r && r->images > 0) {
    const data::Interval interval = data::wilson_95(r->right, r->images);
    figures.emplace_back(share_text(r->right, r->images),
                         fmt::format("top-1 in float32, of {} images; 95 % interval {:.1f} to {:.1f}",
                                     r->images, 100 * interval.low, 100 * interval.high));
    if (r->int8_right)
      figures.emplace_back(share_text(*r->int8_right, r->images), "top-1 in int8, of the same");
  }
  if (!report.history.empty()) {
    double seconds = 0, images = 0;
    for (const EpochRecord& record : report.history) {
      seconds += record.seconds;
      images += record.seconds * record.images_per_second;
    }
    figures.emplace_back(fmt::format("{}", report.history.back().epoch), "epochs");
    figures.emplace_back(duration(seconds), "of training, without validation");
    if (seconds > 0) figures.emplace_back(fmt::format("{:.0f}", images / seconds), "images a second");
  }
  page.figures(figures);
}

/// Rows are true classes, columns predictions; shades are shares of a row.
std::string confusion_picture(const TestResult& result, const std::vector<std::string>& classes) {
  const std::size_t k = classes.size();
  constexpr std::size_t kNamed = 24;  // classes whose names fit along the edges
  const bool named = k <= kNamed;
  const double names = named ? 104 : 24, cell = named ? 38 : std::max(3.0, 760.0 / static_cast<double>(k));
  const double side = cell * static_cast<double>(k);
  Svg svg(names + side + (named ? 40 : 8), names + side + 24, "confusion matrix");
  const auto at = [&](std::size_t i) { return names + cell * static_cast<double>(i); };
  for (std::size_t r = 0; r < k; ++r) {
    std::int64_t images = 0;
    for (std::size_t c = 0; c < k; ++c) images += result.confusion[r * k + c];
    if (named) {
      const std::string name = classes[r].substr(0, classes[r].find(','));
      svg.text(names - 8, at(r) + cell / 2 + 4, name, Anchor::kEnd);
      svg.text(at(r) + cell / 2 + 4, names - 8, name, Anchor::kStart, -45);
    }
    for (std::size_t c = 0; c < k; ++c) {
      const std::int64_t count = result.confusion[r * k + c];
      const double share = images > 0 ? static_cast<double>(count) / static_cast<double>(images) : 0;
      if (named) svg.rect(at(c), at(r), cell - 1.5, cell - 1.5, Colour::kBand, "", 0.35);
      if (count == 0) continue;
      svg.rect(
          at(c), at(r), cell - (named ? 1.5 : 0.3), cell - (named ? 1.5 : 0.3),
          r == c ? Colour::kOne : Colour::kTwo,
          fmt::format("{} of {} images of \"{}\" taken for \"{}\"", count, images, classes[r], classes[c]),
          0.15 + 0.5 * share);
      if (named)
        svg.text(at(c) + cell / 2 - 0.75, at(r) + cell / 2 + 3, fmt::format("{}", count), Anchor::kMiddle, 0,
                 Colour::kText);
    }
  }
  svg.text(names, names + side + 16, "rows: what they are; columns: what they were taken for");
  return svg.str();
}

/// Each class: how often it was recognised, how often its name was right, and its most frequent confusion.
std::vector<std::vector<std::string>> class_rows(const TestResult& result,
                                                 const std::vector<std::string>& classes) {
  const std::size_t k = classes.size();
  std::vector<std::vector<std::string>> rows;
  for (std::size_t r = 0; r < k; ++r) {
    std::int64_t images = 0, named = 0, most = 0;
    std::size_t other = r;
    for (std::size_t c = 0; c < k; ++c) {
      const std::int64_t count = result.confusion[r * k + c];
      images += count;
      named += result.confusion[c * k + r];
      if (c != r && count > most) {
        most = count;
        other = c;
      }
    }
    const std::int64_t right = result.confusion[r * k + r];
    rows.push_back({classes[r], fmt::format("{}", images), images > 0 ? share_text(right, images) : "",
                    named > 0 ? share_text(right, named) : "",
                    most > 0 ? fmt::format("{} ({})", classes[other], most) : "none"});
  }
  return rows;
}

Result<report::Page::Photograph> photograph(const Mistake& mistake, const std::vector<std::string>& classes) {
  const image::Image* picture = &mistake.picture;
  image::Image smaller;
  if (const int longer = std::max(picture->height, picture->width); longer > kThumbnail) {
    const auto shrunk = [&](int size) { return std::max(1, size * kThumbnail / longer); };
    smaller = image::resize(*picture, shrunk(picture->height), shrunk(picture->width), Filter::kBilinear);
    picture = &smaller;
  }
  LINNET_TRY(const std::vector<std::byte> png, image::encode_png(*picture));
  const auto name = [&](int k) { return classes[static_cast<std::size_t>(k)]; };
  return report::Page::Photograph{
      .url = report::data_url("image/png", png),
      .width = picture->width,
      .title = name(mistake.label),
      .lines = {fmt::format("taken for {}, {}", name(mistake.predicted), percent(mistake.probability, 0)),
                fmt::format("{} had {}", name(mistake.label), percent(mistake.label_probability, 0)),
                mistake.name}};
}

void add_result(report::Page& page, const TestResult& result, const std::vector<std::string>& classes) {
  page.heading("What it takes for what");
  page.paragraph(fmt::format(
      "{} of {} images right: {}. Shades are shares of a row, so that rare classes count as much as frequent "
      "ones.",
      result.right, result.images, result.pictures));
  if (classes.size() > 1) page.card("Confusion matrix", "float32", {}, {confusion_picture(result, classes)});
  constexpr std::size_t kRows = 100;
  auto rows = class_rows(result, classes);
  if (rows.size() > kRows) rows.resize(kRows);
  page.table({"class", "images", "recognised", "right when named", "most often taken for (images)"}, rows);
}

}  // namespace

Result<std::string> page(const TrainingReport& report) {
  report::Page page(report.title);
  page.paragraph(report.summary);
  add_figures(page, report);
  if (!report.history.empty()) {
    page.heading("Over the epochs");
    page.paragraph(
        "The training curves are of pictures as augmented and of each step's weights, the others of "
        "unchanged "
        "pictures and of the weights that would be kept: so the training pictures may look the harder ones. "
        "Rest the pointer on a dot for its value.");
    page.card("Accuracy and loss", "", {}, {accuracy_picture(report.history), loss_picture(report.history)});
    page.card("Learning rate and speed", "", {},
              {rate_picture(report.history), speed_picture(report.history)});
  }
  if (report.result && report.result->images > 0) add_result(page, *report.result, report.classes);
  if (!report.mistakes.empty()) {
    page.heading("The worst mistakes");
    page.paragraph(
        "Those whose wrong class is the furthest above the true one. The probabilities are the model's.");
    std::vector<report::Page::Photograph> photographs;
    for (const Mistake& mistake : report.mistakes) {
      LINNET_TRY(auto shown, photograph(mistake, report.classes));
      photographs.push_back(std::move(shown));
    }
    page.gallery(photographs);
  }
  page.heading("How to repeat it");
  page.command(report.command);
  page.card("Settings", "", report.settings, {});
  return page.text();
}

}  // namespace linnet::train
