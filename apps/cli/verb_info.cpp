// linnet info: the graph as read, before any pass.
#include <nlohmann/json.hpp>

#include "api/model_source.h"
#include "formats/any/read_model.h"
#include "graph/statistics.h"
#include "print.h"
#include "verb.h"

namespace linnet::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string model;
  bool json = false;
};

/// The Input is no layer: layers start behind it.
NodeId first_layer() { return 1; }

Json shape_json(const Shape& shape) { return Json{shape.h, shape.w, shape.c}; }

std::string receptive_field_text(const ReceptiveField& field) {
  if (field.whole_image) return "all";
  return field.h == field.w ? std::to_string(field.h) : fmt::format("{}x{}", field.h, field.w);
}

void print_json(const Graph& graph) {
  const std::vector<NodeStatistics> statistics = node_statistics(graph);
  Json layers = Json::array();
  for (NodeId id = first_layer(); id < graph.size(); ++id) {
    const NodeStatistics& node = statistics[static_cast<std::size_t>(id)];
    const ReceptiveField& field = node.receptive_field;
    layers.push_back(
        {{"name", graph[id].name},
         {"op", op_name(graph[id].op)},
         {"input", shape_json(graph[graph[id].inputs.front()].shape)},
         {"output", shape_json(graph[id].shape)},
         {"macs", node.macs},
         {"parameters", node.parameters},
         {"receptive_field", {{"h", field.h}, {"w", field.w}, {"whole_image", field.whole_image}}}});
  }
  const Totals sum = totals(graph);
  print(Json{{"name", graph.name},
             {"macs", sum.macs},
             {"parameters", sum.parameters},
             {"weights", sum.weights},
             {"input", shape_json(graph.input_shape())},
             {"classes", graph.output_shape().c},
             {"dialect", to_string(graph.dialect)},
             {"labels", !graph.labels.empty()},
             {"layers", layers}}
            .dump() +
        "\n");
}

void print_table(const Graph& graph) {
  const std::vector<NodeStatistics> statistics = node_statistics(graph);
  const Totals sum = totals(graph);
  Table table({{"layer"},
               {"op"},
               {"input", Align::kRight},
               {"output", Align::kRight},
               {"MACs", Align::kRight},
               {"parameters", Align::kRight},
               {"sees px", Align::kRight}});
  for (NodeId id = first_layer(); id < graph.size(); ++id) {
    const NodeStatistics& node = statistics[static_cast<std::size_t>(id)];
    table.row({graph[id].name, std::string(op_name(graph[id].op)),
               to_string(graph[graph[id].inputs.front()].shape), to_string(graph[id].shape),
               node.macs ? grouped(node.macs) : "", node.parameters ? grouped(node.parameters) : "",
               receptive_field_text(node.receptive_field)});
  }
  table.rule();
  table.row({fmt::format("{} layers", graph.size() - first_layer()), "", to_string(graph.input_shape()),
             to_string(graph.output_shape()), grouped(sum.macs), grouped(sum.parameters), ""});
  print(table.text());
}

Result<int> run(const Arguments& arguments) {
  LINNET_TRY(const ModelSource source, find_model(arguments.model));
  LINNET_TRY(const Graph graph, read_model_source(source, formats::read_model));
  if (arguments.json)
    print_json(graph);
  else
    print_table(graph);
  return 0;
}

}  // namespace

void add_info(CLI::App& app, Action& action) {
  CLI::App* verb =
      app.add_subcommand("info", "Print a model's layers: shapes, MACs, parameters, receptive field");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("MODEL", arguments->model,
                   "A Hugging Face folder, a file, a name that linnet models lists, or a family")
      ->required();
  verb->add_flag("--json", arguments->json, "Print JSON");
  verb->footer(
      "The graph is printed as it was read. MACs are those of convolutions and linear layers, padding\n"
      "counted; parameters include batch norm's scale and offset, never its running statistics.\n\n"
      "Examples:\n"
      "  linnet info mobilenet_v2_1.0_224\n"
      "  linnet info \"mobilenet_v2:width=0.35,resolution=144,classes=10,strides=14:1\"");
  verb->callback([&action, arguments] { action = [arguments] { return run(*arguments); }; });
}

}  // namespace linnet::cli
