// linnet compare: the first layer at which two models or two back ends part.
#include <nlohmann/json.hpp>

#include "api/compare.h"
#include "image/image.h"
#include "model_options.h"
#include "print.h"
#include "verb.h"

namespace linnet::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  ModelOptions a;
  ModelOptions b;
  std::vector<std::string> images;
  double tolerance = 1e-4;
  bool json = false;
};

void print_json(const Comparison& comparison) {
  Json layers = Json::array();
  for (const LayerComparison& layer : comparison.layers)
    layers.push_back({{"name", layer.name},
                      {"max_difference", layer.max_difference},
                      {"equal_share", layer.equal_share},
                      {"magnitude", layer.magnitude}});
  Json first = nullptr;
  if (comparison.first_difference) first = comparison.layers[*comparison.first_difference].name;
  print(Json{{"first_difference", first}, {"layers", layers}}.dump() + "\n");
}

void print_text(const Comparison& comparison, double tolerance) {
  Table table({{"layer"},
               {"largest difference", Align::kRight},
               {"of", Align::kRight},
               {"equal values", Align::kRight},
               {""}});
  for (std::size_t i = 0; i < comparison.layers.size(); ++i) {
    const LayerComparison& layer = comparison.layers[i];
    table.row({layer.name, fmt::format("{:.3g}", layer.max_difference),
               fmt::format("{:.3g}", layer.magnitude), percent(layer.equal_share, 1),
               comparison.first_difference == i ? "<- first difference" : ""});
  }
  print(table.text());
  if (comparison.first_difference)
    print(fmt::format("They part at {}.\n", comparison.layers[*comparison.first_difference].name));
  else
    print(fmt::format("No layer differs by more than {:g} of its largest value.\n", tolerance));
}

Result<int> run(Arguments arguments) {
  LINNET_TRY(Classifier a, load_classifier(arguments.a));
  arguments.b.threads = arguments.a.threads;
  LINNET_TRY(Classifier b, load_classifier(arguments.b));
  if (a.graph().preprocessing != b.graph().preprocessing)
    note("The two prepare pictures in different ways; both are given what the first one prepares.");
  std::vector<AlignedVector<float>> pictures;
  for (const std::string& path : arguments.images) {
    LINNET_TRY(const image::Image picture, image::read_image(path));
    LINNET_TRY(pictures.emplace_back(), a.prepare(picture));
  }
  LINNET_TRY(const Comparison comparison, compare(a.executor(), b.executor(), pictures, arguments.tolerance));
  if (arguments.json)
    print_json(comparison);
  else
    print_text(comparison, arguments.tolerance);
  return 0;
}

}  // namespace

void add_compare(CLI::App& app, Action& action) {
  CLI::App* verb =
      app.add_subcommand("compare", "Find the first layer at which two models or two back ends part");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("A", arguments->a.model, "A model, as linnet info takes it")->required();
  verb->add_option("B", arguments->b.model, "Another, or the same on another back end")->required();
  verb->add_option("IMAGE", arguments->images, "Pictures to run through both")->required();
  verb->add_option("--backend-a", arguments->a.backend, "What runs A: cpu or reference")->option_text("B");
  verb->add_option("--backend-b", arguments->b.backend, "What runs B: cpu or reference")->option_text("B");
  verb->add_option("--tolerance", arguments->tolerance,
                   "How far apart values may be, as a share of the layer's largest; by default 0.0001")
      ->option_text("X")
      ->check(CLI::NonNegativeNumber);
  add_threads_option(*verb, arguments->a);
  verb->add_flag("--json", arguments->json, "Print JSON");
  verb->footer(
      "Layers are compared after batch norms and activations were joined with the convolutions. They are\n"
      "matched by name, else by position.\n\n"
      "Examples:\n"
      "  linnet compare mobilenet_v2.onnx mobilenet_v2.safetensors cat.jpg\n"
      "  linnet compare M M cat.jpg --backend-a reference --backend-b cpu");
  verb->callback([&action, arguments] { action = [arguments] { return run(*arguments); }; });
}

}  // namespace linnet::cli
