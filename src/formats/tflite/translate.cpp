// Walks the operators in the file's order, and reads those that move values without computing.
#include "formats/tflite/translate.h"

#include <algorithm>
#include <bit>

#include <fmt/ranges.h>

#include "formats/tflite/translator.h"

namespace linnet::formats::tflite {
namespace {

using schema::BuiltinOperator;

constexpr std::size_t kMaxName = 200;  // characters; a hostile file may name every tensor with a whole book

std::string operator_name(BuiltinOperator code, const schema::OperatorCode& full) {
  if (code == BuiltinOperator::CUSTOM && full.custom_code())
    return fmt::format("CUSTOM:{:.40}", full.custom_code()->string_view());
  const std::string_view name = schema::EnumNameBuiltinOperator(code);
  return name.empty() ? fmt::format("number {}", static_cast<int>(code)) : std::string(name);
}

/// The shape of one image, or nothing where the dimensions are not [1, H, W, C] or a vector of C.
std::optional<Shape> shape_of(const std::vector<int>& dims) {
  if (dims.size() == 4 && dims[0] == 1) return Shape{dims[1], dims[2], dims[3]};
  if (dims.empty() || dims.size() > 3) return {};
  if (std::any_of(dims.begin(), dims.end() - 1, [](int d) { return d != 1; })) return {};
  return Shape{1, 1, dims.back()};
}

}  // namespace

std::string dims_text(const std::vector<int>& dims) { return fmt::format("[{}]", fmt::join(dims, ", ")); }

Result<Shape> Translator::input_shape() const {
  const auto* inputs = file_.graph().inputs();
  if (!inputs || inputs->size() != 1)
    return fail("{}: the model has {} inputs; an image classifier has one", file_.name(),
                inputs ? inputs->size() : 0);
  const int input = inputs->Get(0);
  const auto dims = file_.dims(input);
  if (!dims) return fail("{}: input: {}", file_.name(), dims.error().message);
  if (file_.tensor(input)->type() != schema::TensorType::FLOAT32 && !file_.is_byte(input))
    return fail("{}: the input \"{}\" is {}; Linnet reads models of FLOAT32, INT8 or UINT8 input",
                file_.name(), file_.tensor_name(input), type_name(file_.tensor(input)->type()));
  if (dims->size() != 4 || (*dims)[0] != 1)
    return fail(
        "{}: the input \"{}\" is {}; Linnet reads [1, height, width, channels]: export the model with a "
        "batch of one",
        file_.name(), file_.tensor_name(input), dims_text(*dims));
  return *shape_of(*dims);
}

Result<Graph> Translator::run() {
  LINNET_TRY(const Shape input, input_shape());
  const int input_tensor = file_.graph().inputs()->Get(0);
  builder_.emplace(file_.name(), input, unique(file_.tensor_name(input_tensor)));
  values_[static_cast<std::size_t>(input_tensor)] = {Value::Form::kNode, builder_->input()};
  if (file_.is_byte(input_tensor)) {
    const auto q = quantization(input_tensor);
    if (!q) return fail("{}: input: {}", file_.name(), q.error().message);
    builder_->quantize(builder_->input(), *q);
  }

  const auto& operators = *file_.graph().operators();
  for (std::uint32_t i = 0; i < operators.size(); ++i) LINNET_CHECK(translate_operator(*operators.Get(i)));

  const auto* outputs = file_.graph().outputs();
  if (!outputs || outputs->size() != 1)
    return fail("{}: the model has {} outputs; an image classifier has one", file_.name(),
                outputs ? outputs->size() : 0);
  const Value scores = value(outputs->Get(0));
  const auto output = scores.form == Value::Form::kScores ? scores.node : node(outputs->Get(0));
  if (!output) return fail("{}: output: {}", file_.name(), output.error().message);
  LINNET_TRY(Graph graph, std::move(*builder_).finish(*output));
  graph.dialect = Dialect::kTensorflow;
  if (rescales_its_input_) {
    graph.preprocessing = tensorflow_preprocessing();
    graph.preprocessing->rescale = 1.0f;
    graph.preprocessing->mean = {0.0f, 0.0f, 0.0f};
    graph.preprocessing->deviation = {1.0f, 1.0f, 1.0f};
  }
  if (is_int8(graph)) graph.preprocessing = pixels_as_stored(*graph.nodes.front().quantization);
  return graph;
}

Result<void> Translator::translate_operator(const schema::Operator& op) {
  const auto* codes = file_.model().operator_codes();
  if (!codes || op.opcode_index() >= codes->size())
    return fail("{}: an operator has the code number {}, which the file does not list; the file is damaged",
                file_.name(), op.opcode_index());
  const schema::OperatorCode& full = *codes->Get(op.opcode_index());
  // The short code saturates at 127; files older than the long one leave that at 0.
  const auto code = std::max(static_cast<BuiltinOperator>(full.short_builtin_code()), full.builtin_code());
  if (!op.outputs() || op.outputs()->size() != 1 || !file_.tensor(op.outputs()->Get(0)))
    return fail("{}: operator {} has {} outputs; those that Linnet reads have one", file_.name(),
                operator_name(code, full), op.outputs() ? op.outputs()->size() : 0);
  const auto done = dispatch({op, code});
  if (!done)
    return fail("{}: {} \"{}\": {}", file_.name(), operator_name(code, full),
                file_.tensor_name(op.outputs()->Get(0)), done.error().message);
  return {};
}

Result<void> Translator::dispatch(const Call& call) {
  switch (call.code) {
    using enum BuiltinOperator;
    case CONV_2D: return convolution(call);
    case DEPTHWISE_CONV_2D: return depthwise(call);
    case FULLY_CONNECTED: return fully_connected(call);
    case ADD:
    case SUB:
    case MUL:
    case DIV: return arithmetic(call);
    case AVERAGE_POOL_2D: return average_pool(call);
    case MEAN: return mean(call);
    case PAD:
    case PADV2: return pad(call);
    case RESHAPE:
    case SQUEEZE: return reshape(call);
    case SOFTMAX: return softmax(call);
    case DEQUANTIZE: return dequantize(call);
    case RELU: return activate(call, Activation::kRelu);
    case RELU6: return activate(call, Activation::kRelu6);
    case HARD_SWISH: return activate(call, Activation::kHardSwish);
    case SHAPE:
    case STRIDED_SLICE:
    case PACK:
      // How Keras computes the second input of a RESHAPE. Only a reshape that keeps the values in place is
      // read, so the numbers do not matter; any other reader of them is refused.
      values_[static_cast<std::size_t>(call.output())] = {Value::Form::kSizes, 0};
      return {};
    case LOGISTIC:
      return fail(
          "a sigmoid is no part of a MobileNet; where it is the model's last step, export the scores before "
          "it");
    case QUANTIZE: return quantize(call);
    case TRANSPOSE:
      return fail(
          "Linnet reads models whose images are [height, width, channels] throughout; export the model "
          "channels last");
    default:
      return fail("Linnet does not run this operator; docs/formats.md lists those that it reads from TFLite");
  }
}

// ---- Values ----

Result<Constant> Translator::filled(int n, float value) {
  Constant& shared = filled_[{n, std::bit_cast<std::uint32_t>(value)}];
  if (shared.absent()) {
    LINNET_TRY(AlignedVector<float> values, file_.allocate(static_cast<std::size_t>(n)));
    std::ranges::fill(values, value);
    shared = Constant({n}, std::move(values));
  }
  return shared;
}

Result<NodeId> Translator::node(int tensor) {
  const Value held = value(tensor);
  const std::string name = file_.tensor_name(tensor);
  switch (held.form) {
    case Value::Form::kNode: return held.node;
    case Value::Form::kUnknown:
      return is_constant(tensor) ? fail("\"{}\" is a constant where the image's values are expected", name)
                                 : fail("\"{}\" is read before it is computed; the file is damaged", name);
    case Value::Form::kSizes:
      return fail("\"{}\" is computed from shapes; Linnet reads that only into a RESHAPE", name);
    case Value::Form::kScores:
      return fail("\"{}\" is the result of a SOFTMAX; in an int8 model Linnet reads one at the end only",
                  name);
    case Value::Form::kTimesRelu6:
      return fail("\"{}\" is x * relu6(x + 3) without the division by 6 that would make it a hard-swish",
                  name);
    default: break;
  }
  NodeId id = held.node;
  if (held.form == Value::Form::kHardSigmoid) {
    LINNET_TRY(id, add(tensor, Activate{Activation::kHardSigmoid}, {id}));
  } else if (int8_) {
    return fail("\"{}\" is x + 3 without what would make it a hard-sigmoid or a hard-swish", name);
  } else {
    const int channels = shape(id).c;
    LINNET_TRY(const Constant zero, filled(channels, 0.0f));
    LINNET_TRY(const Constant one, filled(channels, 1.0f));
    LINNET_TRY(const Constant three, filled(channels, 3.0f));
    LINNET_TRY(id, add(tensor, BatchNorm{one, three, zero, one, 0.0f}, {id}));
    if (held.form == Value::Form::kPlus3Relu6) {
      LINNET_TRY(id, add(tensor, Activate{Activation::kRelu6}, {id}));
    }
  }
  values_[static_cast<std::size_t>(tensor)] = {Value::Form::kNode, id};
  return id;
}

std::string Translator::unique(std::string name) {
  if (name.size() > kMaxName) name.resize(kMaxName);
  std::string candidate = name;
  while (!taken_.insert(candidate).second) candidate = fmt::format("{}#{}", name, ++repeats_[name] + 1);
  return candidate;
}

Result<NodeId> Translator::add(int tensor, Op op, std::vector<NodeId> inputs, std::string_view suffix) {
  std::vector<Shape> shapes;
  for (const NodeId input : inputs) shapes.push_back(shape(input));
  LINNET_CHECK(infer_shape(op, shapes));
  std::optional<Quantization> q;
  if (int8_) {
    if (!builder_->quantization(builder_->input()))
      return fail("reads the input before it is quantised; convert the model with full integer quantisation");
    const bool moves = std::holds_alternative<Pad>(op) || std::holds_alternative<Identity>(op);
    LINNET_TRY(q, moves ? kept_quantization(tensor, inputs[0]) : quantization(tensor));
  }
  const NodeId id = builder_->add(unique(file_.tensor_name(tensor) + std::string(suffix)), std::move(op),
                                  std::move(inputs));
  if (q) builder_->quantize(id, *q);
  return id;
}

Result<void> Translator::define(int tensor, Value new_value) {
  if (value(tensor).form != Value::Form::kUnknown || is_constant(tensor))
    return fail("its output has a value already; the file is damaged");
  LINNET_TRY(const std::vector<int> declared, file_.dims(tensor));
  const Shape& computed = shape(new_value.node);
  if (shape_of(declared) != computed)
    return fail("computes {}, but the file declares {}; the file is damaged", to_string(computed),
                dims_text(declared));
  values_[static_cast<std::size_t>(tensor)] = new_value;
  return {};
}

Result<void> Translator::emit(const Call& call, Op op, std::vector<NodeId> inputs, Activation then) {
  LINNET_TRY(NodeId id, add(call.output(), std::move(op), std::move(inputs)));
  if (then != Activation::kNone) {
    LINNET_TRY(id, add(call.output(), Activate{then}, {id}, fmt::format("/{}", to_string(then))));
  }
  return define(call.output(), {Value::Form::kNode, id});
}

// ---- Operators without arithmetic ----

Result<void> Translator::pad(const Call& call) {
  LINNET_TRY(const NodeId x, node(call.input(0)));
  LINNET_TRY(const std::vector<int> sizes, file_.dims(call.input(1)));
  LINNET_TRY(const std::vector<int> rows, file_.integers(call.input(1)));
  if (sizes != std::vector<int>{4, 2}) return fail("its paddings are {}, expected [4, 2]", dims_text(sizes));
  if (rows[0] != 0 || rows[1] != 0 || rows[6] != 0 || rows[7] != 0)
    return fail("it pads the batch or the channels ({}); Linnet pads height and width", dims_text(rows));
  if (call.code == BuiltinOperator::PADV2) {
    LINNET_TRY(const Array number, constant(call.input(2)));
    if (number.values.size() != 1 || number.values[0] != 0.0f)
      return fail("it pads with something else than 0; Linnet pads with zeros");
  }
  return emit(call, Pad{{rows[2], rows[3], rows[4], rows[5]}}, {x});
}

Result<void> Translator::reshape(const Call& call) {
  if (const Value x = value(call.input(0)); x.form == Value::Form::kScores) return define(call.output(), x);
  LINNET_TRY(const NodeId x, node(call.input(0)));
  LINNET_TRY(const std::vector<int> declared, file_.dims(call.output()));
  // A tensor of another order of the same values would need a layer that Linnet has not.
  if (shape_of(declared) != shape(x))
    return fail("reshapes {} to {}; Linnet drops or adds dimensions of 1, around the classifier",
                to_string(shape(x)), dims_text(declared));
  return emit(call, Identity{}, {x});
}

Result<Graph> translate(ModelFile& file) { return Translator(file).run(); }

}  // namespace linnet::formats::tflite
