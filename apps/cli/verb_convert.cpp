// linnet convert: between formats.
#include "model_options.h"
#include "model_writer.h"
#include "print.h"
#include "verb.h"

namespace linnet::cli {
namespace {

struct Arguments {
  ModelOptions model;
  std::string out;
};

Result<int> run(const Arguments& arguments) {
  LINNET_TRY(const ModelWriter write, model_writer(arguments.out));
  LINNET_TRY(const PictureOverrides overrides, picture_overrides(arguments.model));
  LINNET_TRY(Graph graph, read_model(arguments.model));
  if (overrides_anything(overrides)) {
    std::vector<std::string> notices;
    LINNET_TRY(graph, settle_for_pictures(std::move(graph), overrides, notices));
    for (const std::string& notice : notices) note(notice);
  }
  LINNET_CHECK(write(graph, arguments.out));
  std::error_code ignored;
  print(fmt::format("{}  {}, {} layers\n", arguments.out,
                    size_text(std::filesystem::file_size(arguments.out, ignored)), graph.size() - 1));
  return 0;
}

}  // namespace

void add_convert(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("convert", "Write a model in another format");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("IN", arguments->model.model, "A model, as linnet info takes it")->required();
  verb->add_option("OUT", arguments->out,
                   "The file to write: .safetensors (Linnet's own form: weights, graph, labels and "
                   "preprocessing in one) or .onnx")
      ->required();
  add_picture_options(*verb, arguments->model);
  verb->footer(
      "Labels and preprocessing travel with the model; the options replace them on the way.\n\n"
      "Examples:\n"
      "  linnet convert mobilenet_v2.tflite mobilenet_v2.onnx\n"
      "  linnet convert mobilenet_v2.pth cats.safetensors --labels synset_words.txt");
  verb->callback([&action, arguments] { action = [arguments] { return run(*arguments); }; });
}

}  // namespace linnet::cli
