// Builds TFLite models for the tests, tensor by tensor, through flatbuffers' own builder.
#pragma once

#include <bit>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/float_formats.h"
#include "tflite_schema_generated.h"

namespace linnet::formats {

namespace schema = tflite_schema;
using Code = schema::BuiltinOperator;
using Function = schema::ActivationFunction;

class TestModel {
 public:
  TestModel() {
    model.version = 3;
    model.subgraphs.push_back(std::make_unique<schema::SubGraphT>());
    model.buffers.push_back(std::make_unique<schema::BufferT>());  // buffer 0 is the empty one
  }

  schema::ModelT model;

  schema::SubGraphT& graph() { return *model.subgraphs[0]; }

  /// A tensor without values; returns its index.
  int tensor(const std::string& name, std::vector<int> dims,
             schema::TensorType type = schema::TensorType::FLOAT32) {
    auto t = std::make_unique<schema::TensorT>();
    t->name = name;
    t->shape = std::move(dims);
    t->type = type;
    graph().tensors.push_back(std::move(t));
    return static_cast<int>(graph().tensors.size()) - 1;
  }
  int input(std::vector<int> dims) {
    const int i = tensor("image", std::move(dims));
    graph().inputs = {i};
    return i;
  }
  template <class T>
  int constant(const std::string& name, std::vector<int> dims, const std::vector<T>& values,
               schema::TensorType type) {
    auto buffer = std::make_unique<schema::BufferT>();
    buffer->data.resize(values.size() * sizeof(T));
    std::memcpy(buffer->data.data(), values.data(), buffer->data.size());
    model.buffers.push_back(std::move(buffer));
    const int i = tensor(name, std::move(dims), type);
    graph().tensors.back()->buffer = static_cast<std::uint32_t>(model.buffers.size()) - 1;
    return i;
  }
  int floats(std::vector<int> dims, const std::vector<float>& values, const std::string& name = "constant") {
    return constant(name, std::move(dims), values, schema::TensorType::FLOAT32);
  }
  /// 1, 2, 3, … as many as the dimensions ask for.
  int counting(std::vector<int> dims) {
    std::vector<float> values(1);
    for (const int d : dims) values.resize(values.size() * static_cast<std::size_t>(d));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + 1);
    return floats(std::move(dims), values, "counting");
  }
  int halves(std::vector<int> dims, const std::vector<float>& values) {
    std::vector<std::uint16_t> bits;
    for (const float v : values) bits.push_back(float16_from_float(v));
    return constant("half", std::move(dims), bits, schema::TensorType::FLOAT16);
  }
  int integers(std::vector<int> dims, const std::vector<std::int32_t>& values) {
    return constant("integers", std::move(dims), values, schema::TensorType::INT32);
  }

  /// Makes a tensor a quantised one: real = (stored - zero) * scale, with one scale or one a slice of `axis`.
  int quantize(int index, schema::TensorType type, std::vector<float> scales, std::int64_t zero = 0,
               int axis = 0) {
    auto q = std::make_unique<schema::QuantizationParametersT>();
    q->zero_point.assign(scales.size(), zero);
    q->scale = std::move(scales);
    q->quantized_dimension = axis;
    schema::TensorT& t = *graph().tensors[static_cast<std::size_t>(index)];
    t.type = type;
    t.quantization = std::move(q);
    return index;
  }
  int int8s(std::vector<int> dims, const std::vector<std::int8_t>& values, std::vector<float> scales,
            int axis = 0) {
    const int i = constant("weights", std::move(dims), values, schema::TensorType::INT8);
    return quantize(i, schema::TensorType::INT8, std::move(scales), 0, axis);
  }
  int uint8s(std::vector<int> dims, const std::vector<std::uint8_t>& values, float scale, int zero) {
    const int i = constant("weights", std::move(dims), values, schema::TensorType::UINT8);
    return quantize(i, schema::TensorType::UINT8, {scale}, zero);
  }
  int int32s(const std::vector<std::int32_t>& values, std::vector<float> scales) {
    const int i = constant("bias", {static_cast<int>(values.size())}, values, schema::TensorType::INT32);
    return quantize(i, schema::TensorType::INT32, std::move(scales));
  }

  /// Adds an operator with one output called "y" plus its number, and returns the output's tensor index.
  template <class Options>
  int op(Code code, std::vector<int> inputs, std::vector<int> output_dims, Options options) {
    const int y = op(code, std::move(inputs), std::move(output_dims));
    graph().operators.back()->options.Set(std::move(options));
    return y;
  }
  int op(Code code, std::vector<int> inputs, std::vector<int> output_dims) {
    auto full = std::make_unique<schema::OperatorCodeT>();
    full->builtin_code = code;
    full->short_builtin_code = static_cast<std::int8_t>(std::min(static_cast<int>(code), 127));
    model.operator_codes.push_back(std::move(full));
    auto o = std::make_unique<schema::OperatorT>();
    o->opcode_index = static_cast<std::uint32_t>(model.operator_codes.size()) - 1;
    o->inputs = std::move(inputs);
    const int y = tensor("y" + std::to_string(graph().operators.size()), std::move(output_dims));
    o->outputs = {y};
    graph().operators.push_back(std::move(o));
    return y;
  }
  schema::OperatorT& last() { return *graph().operators.back(); }

  std::vector<std::byte> bytes(int output) {
    graph().outputs = {output};
    return bytes();
  }
  std::vector<std::byte> bytes() {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(schema::Model::Pack(builder, &model), schema::ModelIdentifier());
    const auto view = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
    return {view.begin(), view.end()};
  }
};

// The options that most tests want: stride 1, no activation.

inline schema::Conv2DOptionsT conv(schema::Padding padding = schema::Padding::VALID, int stride = 1,
                                   Function activation = Function::NONE) {
  schema::Conv2DOptionsT o;
  o.padding = padding;
  o.stride_h = o.stride_w = stride;
  o.activation = activation;
  return o;
}
inline schema::DepthwiseConv2DOptionsT depthwise(schema::Padding padding = schema::Padding::VALID,
                                                 int stride = 1, Function activation = Function::NONE) {
  schema::DepthwiseConv2DOptionsT o;
  o.padding = padding;
  o.stride_h = o.stride_w = stride;
  o.activation = activation;
  return o;
}
inline schema::Pool2DOptionsT pool(int height, int width) {
  schema::Pool2DOptionsT o;
  o.padding = schema::Padding::VALID;
  o.filter_height = height;
  o.filter_width = width;
  o.stride_h = o.stride_w = 1;
  return o;
}
template <class Options>
Options with(Function activation) {
  Options o;
  o.activation = activation;
  return o;
}

}  // namespace linnet::formats
