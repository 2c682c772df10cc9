// Writes small ONNX models as exporters do, for tests and for the seeds of the fuzzer.
#pragma once

#include <initializer_list>
#include <string>
#include <variant>
#include <vector>

#include "formats/onnx/reader.h"
#include "onnx_schema.pb.h"

namespace linnet::formats::onnx {

using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;

struct Attribute {
  std::string name;
  std::variant<std::int64_t, float, Ints, std::string, onnx_schema::TensorProto> value;

  Attribute(std::string n, int v) : name(std::move(n)), value(std::int64_t{v}) {}
  Attribute(std::string n, float v) : name(std::move(n)), value(v) {}
  Attribute(std::string n, double v) : name(std::move(n)), value(static_cast<float>(v)) {}
  Attribute(std::string n, Ints v) : name(std::move(n)), value(std::move(v)) {}
  Attribute(std::string n, const char* v) : name(std::move(n)), value(std::string(v)) {}
  Attribute(std::string n, onnx_schema::TensorProto v) : name(std::move(n)), value(std::move(v)) {}
};

inline onnx_schema::TensorProto float_tensor(const Ints& dims, const Floats& values) {
  onnx_schema::TensorProto tensor;
  for (const auto d : dims) tensor.add_dims(d);
  tensor.set_data_type(onnx_schema::TensorProto::FLOAT);
  tensor.set_raw_data(values.data(), values.size() * sizeof(float));
  return tensor;
}

inline onnx_schema::TensorProto int_tensor(const Ints& dims, const Ints& values) {
  onnx_schema::TensorProto tensor;
  for (const auto d : dims) tensor.add_dims(d);
  tensor.set_data_type(onnx_schema::TensorProto::INT64);
  tensor.set_raw_data(values.data(), values.size() * sizeof(std::int64_t));
  return tensor;
}

/// One input "x", one output, nodes in the order of the calls. Names of values double as names of nodes.
class ModelBuilder {
 public:
  /// `input`: dimensions of "x"; -1 is a dynamic one.
  ModelBuilder(int opset, const Ints& input) {
    model.set_ir_version(8);
    auto& import = *model.add_opset_import();
    import.set_domain("");
    import.set_version(opset);
    describe(*model.mutable_graph()->add_input(), "x", input);
  }

  std::string floats(const std::string& name, const Ints& dims, const Floats& values) {
    return constant(name, float_tensor(dims, values));
  }
  std::string scalar(const std::string& name, double value) {
    return floats(name, {}, {static_cast<float>(value)});
  }
  std::string ints(const std::string& name, const Ints& values) {
    return constant(name, int_tensor({static_cast<std::int64_t>(values.size())}, values));
  }
  std::string constant(const std::string& name, onnx_schema::TensorProto tensor) {
    tensor.set_name(name);
    *model.mutable_graph()->add_initializer() = std::move(tensor);
    return name;
  }

  /// Adds a node named after its output, which it returns.
  std::string node(const std::string& op_type, const std::vector<std::string>& inputs,
                   const std::string& output, const std::vector<Attribute>& attributes = {}) {
    auto& n = *model.mutable_graph()->add_node();
    n.set_op_type(op_type);
    n.set_name(output);
    for (const auto& input : inputs) n.add_input(input);
    n.add_output(output);
    for (const auto& attribute : attributes) add(*n.add_attribute(), attribute);
    return output;
  }

  std::string bytes(const std::string& output) {
    model.mutable_graph()->clear_output();
    model.mutable_graph()->add_output()->set_name(output);
    return model.SerializeAsString();
  }

  Result<Graph> read(const std::string& output) {
    const std::string file = bytes(output);
    return read_onnx(std::as_bytes(std::span(file)), "test.onnx");
  }

  onnx_schema::ModelProto model;

 private:
  static void describe(onnx_schema::ValueInfoProto& value, const std::string& name, const Ints& dims) {
    value.set_name(name);
    auto& type = *value.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx_schema::TensorProto::FLOAT);
    for (const auto d : dims) {
      auto& dim = *type.mutable_shape()->add_dim();
      if (d < 0)
        dim.set_dim_param("batch");
      else
        dim.set_dim_value(d);
    }
  }

  static void add(onnx_schema::AttributeProto& to, const Attribute& from) {
    using onnx_schema::AttributeProto;
    to.set_name(from.name);
    if (const auto* i = std::get_if<std::int64_t>(&from.value)) {
      to.set_type(AttributeProto::INT);
      to.set_i(*i);
    } else if (const auto* f = std::get_if<float>(&from.value)) {
      to.set_type(AttributeProto::FLOAT);
      to.set_f(*f);
    } else if (const auto* list = std::get_if<Ints>(&from.value)) {
      to.set_type(AttributeProto::INTS);
      for (const auto v : *list) to.add_ints(v);
    } else if (const auto* text = std::get_if<std::string>(&from.value)) {
      to.set_type(AttributeProto::STRING);
      to.set_s(*text);
    } else {
      to.set_type(AttributeProto::TENSOR);
      *to.mutable_t() = std::get<onnx_schema::TensorProto>(from.value);
    }
  }
};

}  // namespace linnet::formats::onnx
