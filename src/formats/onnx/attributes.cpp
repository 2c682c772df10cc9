#include "formats/onnx/attributes.h"

namespace linnet::formats::onnx {

using onnx_schema::AttributeProto;

namespace {

/// Files of the first IR versions carry no type; there the field that is set tells the kind.
bool is(const AttributeProto& a, AttributeProto::AttributeType type, bool field_is_set) {
  return a.has_type() ? a.type() == type : field_is_set;
}

std::unexpected<Error> wrong_kind(std::string_view name, std::string_view kind) {
  return fail("attribute \"{}\" is not {}; the file is damaged", name, kind);
}

}  // namespace

const AttributeProto* Attributes::find(std::string_view name) const {
  for (const auto& attribute : node_.attribute())
    if (attribute.name() == name) return &attribute;
  return nullptr;
}

Result<std::int64_t> Attributes::integer(std::string_view name, std::int64_t otherwise) const {
  const auto* a = find(name);
  if (!a) return otherwise;
  if (!is(*a, AttributeProto::INT, a->has_i())) return wrong_kind(name, "an integer");
  return a->i();
}

Result<double> Attributes::number(std::string_view name, double otherwise) const {
  const auto* a = find(name);
  if (!a) return otherwise;
  if (!is(*a, AttributeProto::FLOAT, a->has_f())) return wrong_kind(name, "a number");
  return double{a->f()};
}

Result<std::string_view> Attributes::text(std::string_view name, std::string_view otherwise) const {
  const auto* a = find(name);
  if (!a) return otherwise;
  if (!is(*a, AttributeProto::STRING, a->has_s())) return wrong_kind(name, "a text");
  return std::string_view(a->s());
}

Result<std::vector<std::int64_t>> Attributes::integers(std::string_view name,
                                                       std::vector<std::int64_t> otherwise) const {
  const auto* a = find(name);
  if (!a) return otherwise;
  if (!is(*a, AttributeProto::INTS, a->ints_size() > 0)) return wrong_kind(name, "a list of integers");
  return std::vector<std::int64_t>(a->ints().begin(), a->ints().end());
}

Result<std::vector<float>> Attributes::numbers(std::string_view name) const {
  const auto* a = find(name);
  if (!a) return std::vector<float>{};
  if (!is(*a, AttributeProto::FLOATS, a->floats_size() > 0)) return wrong_kind(name, "a list of numbers");
  return std::vector<float>(a->floats().begin(), a->floats().end());
}

Result<const onnx_schema::TensorProto*> Attributes::tensor(std::string_view name) const {
  const auto* a = find(name);
  if (!a) return nullptr;
  if (!is(*a, AttributeProto::TENSOR, a->has_t())) return wrong_kind(name, "a tensor");
  return &a->t();
}

}  // namespace linnet::formats::onnx
