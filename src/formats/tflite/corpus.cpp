#include "formats/tflite/corpus.h"

#include <array>

#include "formats/tflite/test_model.h"
#include "tflite_metadata_schema_generated.h"

namespace linnet::formats {
namespace {

using schema::Padding;
namespace meta = tflite_metadata_schema;

std::uint32_t crc32(std::string_view text) {
  std::uint32_t crc = ~0u;
  for (const char c : text) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0u);
  }
  return ~crc;
}

/// Little-endian numbers one after the other, as zip's headers are.
class Bytes {
 public:
  explicit Bytes(std::vector<std::byte>& out) : out_(out) {}
  Bytes& u16(std::size_t v) { return number(v, 2); }
  Bytes& u32(std::size_t v) { return number(v, 4); }
  Bytes& text(std::string_view t) {
    for (const char c : t) out_.push_back(std::byte(c));
    return *this;
  }

 private:
  Bytes& number(std::size_t v, int n) {
    for (int i = 0; i < n; ++i) out_.push_back(std::byte(v >> (8 * i)));
    return *this;
  }
  std::vector<std::byte>& out_;
};

int classifier(TestModel& m, int x, int channels) {
  x = m.op(Code::MEAN, {x, m.integers({2}, {1, 2})}, {1, channels});
  x = m.op(Code::FULLY_CONNECTED, {x, m.counting({2, channels}), m.counting({2})}, {1, 2},
           schema::FullyConnectedOptionsT());
  schema::SoftmaxOptionsT softmax;
  softmax.beta = 1;
  return m.op(Code::SOFTMAX, {x}, {1, 2}, softmax);
}

std::vector<std::byte> plain() {
  TestModel m;
  const int x = m.input({1, 4, 4, 3});
  int y = m.op(Code::CONV_2D, {x, m.counting({4, 3, 3, 3}), m.counting({4})}, {1, 2, 2, 4},
               conv(Padding::SAME, 2, Function::RELU6));
  y = m.op(Code::DEPTHWISE_CONV_2D, {y, m.counting({1, 3, 3, 4})}, {1, 2, 2, 4},
           depthwise(Padding::SAME, 1, Function::RELU));
  const int z = m.op(Code::CONV_2D, {y, m.counting({4, 1, 1, 4})}, {1, 2, 2, 4}, conv());
  y = m.op(Code::ADD, {y, z}, {1, 2, 2, 4}, schema::AddOptionsT());
  return m.bytes(classifier(m, y, 4));
}

std::vector<std::byte> gated() {
  TestModel m;
  const std::vector<int> d = {1, 2, 2, 2}, v = {1, 1, 1, 2};
  int x = m.input(d);
  x = m.op(Code::HARD_SWISH, {x}, d);
  int gate = m.op(Code::AVERAGE_POOL_2D, {x}, v, pool(2, 2));
  gate = m.op(Code::CONV_2D, {gate, m.counting({2, 1, 1, 2})}, v, conv(Padding::VALID, 1, Function::RELU));
  gate = m.op(Code::ADD, {gate, m.floats({}, {3})}, v, with<schema::AddOptionsT>(Function::RELU6));
  gate = m.op(Code::MUL, {gate, m.floats({}, {1 / 6.0f})}, v, schema::MulOptionsT());
  x = m.op(Code::MUL, {x, gate}, d, schema::MulOptionsT());
  x = m.op(Code::MUL, {x, m.counting({2})}, d, schema::MulOptionsT());
  x = m.op(Code::SUB, {x, m.counting({2})}, d, with<schema::SubOptionsT>(Function::RELU));
  return m.bytes(classifier(m, x, 2));
}

std::vector<std::byte> half_precision() {
  TestModel m;
  int x = m.input({1, 2, 2, 1});
  const int weight = m.op(Code::DEQUANTIZE, {m.halves({1, 1, 1, 3}, {1, 2, 3})}, {1, 1, 1, 3});
  x = m.op(Code::DEPTHWISE_CONV_2D, {x, weight}, {1, 2, 2, 3}, depthwise());
  x = m.op(Code::PAD, {x, m.integers({4, 2}, {0, 0, 1, 0, 0, 1, 0, 0})}, {1, 3, 3, 3});
  return m.bytes(classifier(m, x, 3));
}

std::vector<std::byte> keras() {
  TestModel m;
  int x = m.input({1, 1, 1, 2});
  x = m.op(Code::MUL, {x, m.floats({}, {1 / 127.5f})}, {1, 1, 1, 2}, schema::MulOptionsT());
  const int sizes = m.op(Code::SHAPE, {x}, {4});
  const int one = m.integers({1}, {1});
  const int batch = m.op(Code::STRIDED_SLICE, {sizes, one, one, one}, {1});
  x = m.op(Code::RESHAPE, {x, m.op(Code::PACK, {batch, one}, {2})}, {1, 2});
  return m.bytes(m.op(Code::SQUEEZE, {x}, {2}));
}

/// 1, -2, 3, … modulo 128
std::vector<std::int8_t> alternating(std::size_t n) {
  std::vector<std::int8_t> values;
  for (std::size_t i = 1; i <= n; ++i)
    values.push_back(static_cast<std::int8_t>(static_cast<int>(i % 128) * (i % 2 ? 1 : -1)));
  return values;
}

/// As TensorFlow 2 converts: scales a channel, float at both ends, an inverted block with its gate.
std::vector<std::byte> int8() {
  using enum schema::TensorType;
  TestModel m;
  const std::vector<int> map = {1, 2, 2, 4}, vector = {1, 1, 1, 4};
  const auto q = [&](int tensor, float scale, int zero) { return m.quantize(tensor, INT8, {scale}, zero); };
  int x = q(m.op(Code::QUANTIZE, {m.input({1, 4, 4, 3})}, {1, 4, 4, 3}), 1 / 128.0f, 0);
  const int weights = m.int8s({4, 3, 3, 3}, alternating(108), {0.25f, 0.5f, 0.125f, 1});
  const int bias = m.int32s({5, -6, 7, 0}, {0.25f / 128, 0.5f / 128, 0.125f / 128, 1 / 128.0f});
  x = q(m.op(Code::CONV_2D, {x, weights, bias}, map, conv(Padding::SAME, 2, Function::RELU6)), 6 / 255.0f,
        -128);
  int y = m.op(Code::DEPTHWISE_CONV_2D,
               {x, m.int8s({1, 3, 3, 4}, alternating(36), {0.01f, 0.02f, 0.01f, 0.03f}, 3)}, map,
               depthwise(Padding::SAME));
  y = q(m.op(Code::HARD_SWISH, {q(y, 0.1f, 3)}, map), 0.05f, -120);
  int gate = q(m.op(Code::MEAN, {y, m.integers({2}, {1, 2})}, vector), 0.04f, -120);
  const int three = m.int8s({}, {127}, {3 / 127.0f}), sixth = m.int8s({}, {127}, {1 / (6 * 127.0f)});
  gate =
      q(m.op(Code::ADD, {gate, three}, vector, with<schema::AddOptionsT>(Function::RELU6)), 6 / 255.0f, -128);
  gate = q(m.op(Code::MUL, {gate, sixth}, vector, schema::MulOptionsT()), 1 / 256.0f, -128);
  y = q(m.op(Code::MUL, {y, gate}, map, schema::MulOptionsT()), 0.05f, -120);
  y = q(m.op(Code::ADD, {x, y}, map, schema::AddOptionsT()), 0.06f, -100);
  y = q(m.op(Code::PAD, {y, m.integers({4, 2}, {0, 0, 1, 0, 0, 1, 0, 0})}, {1, 3, 3, 4}), 0.06f, -100);
  y = q(m.op(Code::QUANTIZE, {y}, {1, 3, 3, 4}), 0.07f, -90);
  y = q(m.op(Code::AVERAGE_POOL_2D, {y}, vector, pool(3, 3)), 0.07f, -90);
  y = q(m.op(Code::RESHAPE, {y, m.integers({2}, {1, 4})}, {1, 4}), 0.07f, -90);
  y = q(m.op(Code::FULLY_CONNECTED, {y, m.int8s({2, 4}, alternating(8), {0.5f})}, {1, 2},
             schema::FullyConnectedOptionsT()),
        0.2f, 0);
  schema::SoftmaxOptionsT softmax;
  softmax.beta = 1;
  y = q(m.op(Code::SOFTMAX, {y}, {1, 2}, softmax), 1 / 256.0f, -128);
  return m.bytes(m.op(Code::DEQUANTIZE, {y}, {1, 2}));
}

/// As TensorFlow 1 converts: uint8 throughout, weights with a zero point.
std::vector<std::byte> uint8() {
  using enum schema::TensorType;
  TestModel m;
  const auto q = [&](int tensor, float scale, int zero) { return m.quantize(tensor, UINT8, {scale}, zero); };
  const auto weights = [&](std::vector<int> dims, std::size_t n) {
    std::vector<std::uint8_t> values;
    for (const std::int8_t v : alternating(n)) values.push_back(static_cast<std::uint8_t>(v + 128));
    return m.uint8s(std::move(dims), values, 0.25f, 120);
  };
  int x = q(m.input({1, 2, 2, 2}), 1 / 128.0f, 128);
  x = q(m.op(Code::CONV_2D, {x, weights({2, 1, 1, 2}, 4), m.int32s({5, -6}, {0.25f / 128})}, {1, 2, 2, 2},
             conv(Padding::SAME, 1, Function::RELU6)),
        6 / 255.0f, 0);
  x = q(m.op(Code::DEPTHWISE_CONV_2D, {x, weights({1, 3, 3, 2}, 18)}, {1, 2, 2, 2},
             depthwise(Padding::SAME, 1, Function::RELU)),
        0.1f, 10);
  x = q(m.op(Code::AVERAGE_POOL_2D, {x}, {1, 1, 1, 2}, pool(2, 2)), 0.1f, 10);
  return m.bytes(q(m.op(Code::SQUEEZE, {x}, {1, 2}), 0.1f, 10));
}

std::vector<std::byte> labelled() {
  flatbuffers::FlatBufferBuilder builder;
  meta::ModelMetadataT metadata;
  auto graph = std::make_unique<meta::SubGraphMetadataT>();
  auto input = std::make_unique<meta::TensorMetadataT>();
  auto unit = std::make_unique<meta::ProcessUnitT>();
  meta::NormalizationOptionsT normalisation;
  normalisation.mean = {127.5f};
  normalisation.std = {127.5f, 63.75f, 255};
  unit->options.Set(normalisation);
  input->process_units.push_back(std::move(unit));
  graph->input_tensor_metadata.push_back(std::move(input));
  auto output = std::make_unique<meta::TensorMetadataT>();
  auto file = std::make_unique<meta::AssociatedFileT>();
  file->name = "labels.txt";
  file->type = meta::AssociatedFileType::TENSOR_AXIS_LABELS;
  output->associated_files.push_back(std::move(file));
  graph->output_tensor_metadata.push_back(std::move(output));
  metadata.subgraph_metadata.push_back(std::move(graph));
  builder.Finish(meta::ModelMetadata::Pack(builder, &metadata), meta::ModelMetadataIdentifier());

  TestModel m;
  const int x = m.input({1, 1, 1, 2});
  auto buffer = std::make_unique<schema::BufferT>();
  buffer->data.assign(builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
  m.model.buffers.push_back(std::move(buffer));
  auto entry = std::make_unique<schema::MetadataT>();
  entry->name = "TFLITE_METADATA";
  entry->buffer = 1;
  m.model.metadata.push_back(std::move(entry));
  return m.bytes(m.op(Code::RELU, {x}, {1, 1, 1, 2}));
}

}  // namespace

std::vector<std::byte> with_labels(std::vector<std::byte> model, const std::string& labels) {
  constexpr std::string_view kName = "labels.txt";
  Bytes out(model);
  const std::size_t local = model.size();
  const auto common =
      [&] {  // version, flags, stored, time, date, checksum, sizes, length of the name and of what is extra
        out.u16(20)
            .u16(0)
            .u16(0)
            .u16(0)
            .u16(0x21)
            .u32(crc32(labels))
            .u32(labels.size())
            .u32(labels.size())
            .u16(kName.size())
            .u16(0);
      };
  out.u32(0x04034b50);
  common();
  out.text(kName).text(labels);
  const std::size_t directory = model.size();
  out.u32(0x02014b50).u16(20);
  common();
  out.u16(0).u16(0).u16(0).u32(0).u32(local).text(kName);
  const std::size_t size = model.size() - directory;
  out.u32(0x06054b50).u16(0).u16(0).u16(1).u16(1).u32(size).u32(directory).u16(0);
  return model;
}

std::map<std::string, std::vector<std::byte>> tflite_corpus() {
  return {{"plain.tflite", plain()},
          {"gated.tflite", gated()},
          {"half_precision.tflite", half_precision()},
          {"keras.tflite", keras()},
          {"int8.tflite", int8()},
          {"uint8.tflite", uint8()},
          {"without_its_labels.tflite", labelled()},
          {"labelled.tflite", with_labels(labelled(), "cat\ndog\n")}};
}

}  // namespace linnet::formats
