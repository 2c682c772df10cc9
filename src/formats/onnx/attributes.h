// A node's attributes by name, with ONNX's defaults and a check of their kind.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "onnx_schema.pb.h"

namespace linnet::formats::onnx {

/// Views a node, which must outlive it. Each getter returns `otherwise` where the attribute is absent, and an
/// error where it is of another kind.
class Attributes {
 public:
  explicit Attributes(const onnx_schema::NodeProto& node) : node_(node) {}

  bool has(std::string_view name) const { return find(name) != nullptr; }
  Result<std::int64_t> integer(std::string_view name, std::int64_t otherwise) const;
  Result<double> number(std::string_view name, double otherwise) const;
  Result<std::string_view> text(std::string_view name, std::string_view otherwise) const;
  Result<std::vector<std::int64_t>> integers(std::string_view name,
                                             std::vector<std::int64_t> otherwise) const;
  Result<std::vector<float>> numbers(std::string_view name) const;
  /// nullptr where absent.
  Result<const onnx_schema::TensorProto*> tensor(std::string_view name) const;

 private:
  const onnx_schema::AttributeProto* find(std::string_view name) const;

  const onnx_schema::NodeProto& node_;
};

}  // namespace linnet::formats::onnx
