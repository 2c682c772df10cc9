// linnet classify: labels with probabilities.
#include <nlohmann/json.hpp>

#include "image/image.h"
#include "model_options.h"
#include "print.h"
#include "verb.h"

namespace linnet::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  ModelOptions model;
  std::vector<std::string> images;
  int top = 5;
  bool json = false;
};

/// A file's name may hold bytes that are not UTF-8; JSON may not.
std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

void print_json(const std::string& image, const Classification& result) {
  Json predictions = Json::array();
  for (const Prediction& p : result.predictions)
    predictions.push_back({{"index", p.index}, {"label", p.label}, {"probability", p.probability}});
  const Timings& t = result.timings;
  print(dumped({{"image", image},
                {"predictions", predictions},
                {"milliseconds", t.total()},
                {"decode_ms", t.decode},
                {"preprocess_ms", t.preprocess},
                {"inference_ms", t.inference}}) +
        "\n");
}

void print_text(const std::string& image, const Classification& result) {
  const Timings& t = result.timings;
  print(fmt::format("{}  ({:.1f} ms: decode {:.1f}, preprocess {:.1f}, inference {:.1f})\n", image, t.total(),
                    t.decode, t.preprocess, t.inference));
  for (const Prediction& p : result.predictions)
    print(fmt::format("  {:>8}  {}\n", percent(p.probability), p.label));
}

Result<Classification> classify(Classifier& classifier, const std::string& path, int top) {
  Stopwatch watch;
  LINNET_TRY(const image::Image picture, image::read_image(path));
  const double decode = watch.lap();
  LINNET_TRY(Classification result, classifier.classify(picture, top));
  result.timings.decode = decode;
  return result;
}

Result<int> run(const Arguments& arguments) {
  LINNET_TRY(Classifier classifier, load_classifier(arguments.model));
  int code = 0;
  for (const std::string& path : arguments.images) {
    const Result<Classification> result = classify(classifier, path, arguments.top);
    if (!result) {
      note(result.error().message);
      code = 1;
      continue;
    }
    if (arguments.json)
      print_json(path, *result);
    else
      print_text(path, *result);
    std::fflush(stdout);  // a line as soon as it is known, also into a pipe
  }
  return code;
}

}  // namespace

void add_classify(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("classify", "Label pictures");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("IMAGE", arguments->images, "Pictures: JPEG, PNG, WebP, BMP, PNM")->required();
  add_model_option(*verb, arguments->model);
  verb->add_option("--top", arguments->top, "How many labels for each; by default 5")
      ->option_text("N")
      ->check(CLI::PositiveNumber);
  add_threads_option(*verb, arguments->model);
  add_precision_option(*verb, arguments->model);
  add_backend_option(*verb, arguments->model);
  add_picture_options(*verb, arguments->model);
  verb->add_flag("--json", arguments->json, "Print a line of JSON an image");
  verb->footer(
      "Without --model the default model labels: linnet models says which it is. A picture that cannot\n"
      "be read is reported, the others go on, and the exit code is then 1.\n\n"
      "Examples:\n"
      "  linnet classify cat.jpg\n"
      "  linnet classify --model mobilenet_v2.pth --labels synset_words.txt --top 3 --json *.jpg");
  verb->callback([&action, arguments] { action = [arguments] { return run(*arguments); }; });
}

}  // namespace linnet::cli
