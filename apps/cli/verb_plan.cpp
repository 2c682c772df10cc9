// linnet plan: what runs when, and where every byte of it lies, before anything runs.
#include <fstream>

#include <nlohmann/json.hpp>

#include "cpu/executor.h"
#include "model_options.h"
#include "plan_picture.h"
#include "print.h"
#include "verb.h"

namespace linnet::cli {
namespace {

using Json = nlohmann::ordered_json;
using plan::Buffer;
using plan::Plan;

struct Arguments {
  ModelOptions model;
  std::optional<std::int64_t> ram;
  bool one_stage = false;
  std::string svg;
  bool json = false;
};

const char* kind_name(Buffer::Kind kind) {
  switch (kind) {
    case Buffer::Kind::kWhole: return "whole";
    case Buffer::Kind::kRing: return "ring";
    case Buffer::Kind::kSums: return "sums";
    case Buffer::Kind::kScratch: return "scratch";
  }
  return "";
}

template <class Visit>
void for_each_buffer(const Plan& plan, int stage, Visit visit) {
  for (const Buffer& b : plan.buffers)
    if (b.first <= stage && stage <= b.last) visit(b);
}

Json to_json(const Graph& graph, const Plan& plan, int stage) {
  Json layers = Json::array(), buffers = Json::array();
  for (const plan::Layer& layer : plan.stages[static_cast<std::size_t>(stage)].layers) {
    layers.push_back(
        {{"name", graph[layer.node].name}, {"op", op_name(graph[layer.node].op)}, {"tile", layer.tile}});
    if (layer.taken_over != plan::kNobody) layers.back()["taken_over"] = graph[layer.taken_over].name;
  }
  for_each_buffer(plan, stage, [&](const Buffer& b) {
    Json buffer = {
        {"kind", kind_name(b.kind)}, {"bytes", b.bytes}, {"offset", b.offset}, {"copies", b.copies}};
    if (b.value != plan::kNobody) buffer["value"] = graph[b.value].name;
    if (b.pixels > 0) buffer["pixels"] = b.pixels;
    buffers.push_back(buffer);
  });
  return {{"live_bytes", live_bytes(plan, stage)}, {"layers", layers}, {"buffers", buffers}};
}

/// "3 rows", "35 pixels", "56x56"
std::string size_of(const Graph& graph, const Buffer& buffer) {
  const Shape& shape = graph[buffer.value].shape;
  if (buffer.kind == Buffer::Kind::kWhole) return fmt::format("whole {}", to_string(shape));
  const bool rows = shape.w > 1 && buffer.pixels % shape.w == 0;
  return fmt::format("{} {} x {}", rows ? buffer.pixels / shape.w : buffer.pixels, rows ? "rows" : "pixels",
                     rows ? fmt::format("{}x{}", shape.w, shape.c) : std::to_string(shape.c));
}

void print_text(const cpu::CpuExecutor& executor) {
  const Graph& graph = executor.graph();
  const Plan& plan = executor.plan();
  Table table({{"stage", Align::kRight},
               {"layer"},
               {"at once", Align::kRight},
               {"kept"},
               {"bytes", Align::kRight},
               {"at", Align::kRight},
               {"live", Align::kRight}});
  for (int s = 0; s < static_cast<int>(plan.stages.size()); ++s) {
    const std::vector<plan::Layer>& layers = plan.stages[static_cast<std::size_t>(s)].layers;
    const auto add = [&](const Buffer& b, const std::string& what, const std::string& tile,
                         const std::string& kept) {
      const std::string copies = b.copies > 1 ? fmt::format("{} x ", b.copies) : "";
      table.row({"", what, tile, kept, copies + grouped(b.bytes), grouped(b.offset), ""});
    };
    table.row({std::to_string(s + 1), "", "", "", "", "", grouped(live_bytes(plan, s))});
    const std::vector<NodeId> inputs = inputs_of(graph, plan.stages[static_cast<std::size_t>(s)]);
    for_each_buffer(plan, s, [&](const Buffer& b) {
      if (b.kind == Buffer::Kind::kWhole && b.first < s)
        add(b,
            (std::ranges::find(inputs, b.value) != inputs.end() ? "reads " : "keeps ") + graph[b.value].name,
            "", size_of(graph, b));
    });
    for (const plan::Layer& layer : layers) {
      std::string name = graph[layer.node].name;
      if (layer.taken_over != plan::kNobody) name += " + " + graph[layer.taken_over].name;
      const std::string tile = grouped(layer.tile);
      if (const Buffer* const b = plan::find(plan, s, layer.value()))
        add(*b, name, tile, size_of(graph, *b));
      else
        table.row({"", name, tile, "the caller's", "", "", ""});
      if (const Buffer* const b = plan::find_sums(plan, s, layer.value())) add(*b, "", "", "sums");
    }
    if (const Buffer* const b = plan::find_scratch(plan, s)) add(*b, "", "", "scratch");
    table.rule();
  }
  table.row({"", "peak", "", "", grouped(executor.peak_activation_bytes()), "", ""});
  table.row({"", "weights", "", "", grouped(executor.weight_bytes()), "", ""});
  print(table.text());
}

Result<int> run(const Arguments& arguments) {
  LINNET_TRY(Graph graph, read_model(arguments.model));
  LINNET_TRY(graph, with_precision(std::move(graph), arguments.model));
  LINNET_TRY(const auto precision, executor_precision(arguments.model));
  const int threads = arguments.model.threads > 0 ? arguments.model.threads : 1;
  LINNET_TRY(const auto executor, cpu::make_executor(graph, {.threads = threads,
                                                             .precision = precision,
                                                             .ram_bytes = arguments.ram,
                                                             .one_stage = arguments.one_stage}));
  const Plan& plan = executor->plan();
  if (!arguments.svg.empty()) {
    std::ofstream file(arguments.svg);
    file << plan_picture(executor->graph(), plan);
    if (!file.flush()) return fail("{}: cannot be written", arguments.svg);
  }
  if (arguments.json) {
    Json stages = Json::array();
    for (int s = 0; s < static_cast<int>(plan.stages.size()); ++s)
      stages.push_back(to_json(executor->graph(), plan, s));
    print(Json{{"peak_bytes", executor->peak_activation_bytes()},
               {"weights_bytes", executor->weight_bytes()},
               {"precision", to_string(executor->precision())},
               {"stages", stages}}
              .dump() +
          "\n");
  } else {
    print_text(*executor);
  }
  return 0;
}

}  // namespace

void add_plan(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("plan", "Say what runs when and where every byte lies, before it runs");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("MODEL", arguments->model.model,
                   "A Hugging Face folder, a file, a name that linnet models lists, or a family")
      ->required();
  auto* const ram = verb->add_option("--ram", arguments->ram, "Plan for so many bytes of RAM, all counted")
                        ->option_text("BYTES")
                        ->check(CLI::NonNegativeNumber);
  verb->add_flag("--one-stage", arguments->one_stage, "Plan all of it as one stage, as a circuit runs it")
      ->excludes(ram);
  verb->add_option("--svg", arguments->svg, "Draw it into a file: time across, memory up")
      ->option_text("FILE");
  verb->add_option("--threads", arguments->model.threads, "Threads that the CPU's plan is for; by default 1")
      ->option_text("N")
      ->check(CLI::Range(1, 256));
  add_precision_option(*verb, arguments->model);
  verb->add_flag("--json", arguments->json, "Print JSON");
  verb->footer(
      "Without --ram the plan is that of this machine's CPU: what flows stays in the L2 cache. With it\n"
      "pixels flow one after the other through rings, and everything counts but the image and the "
      "weights.\n\n"
      "Examples:\n"
      "  linnet plan mobilenet_v2 --precision int8 --ram 98304 --svg memory.svg\n"
      "  linnet plan mobilenet_v2:width=0.35,resolution=144 --precision int8 --one-stage");
  verb->callback([&action, arguments] { action = [arguments] { return run(*arguments); }; });
}

}  // namespace linnet::cli
