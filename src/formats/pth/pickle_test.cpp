// The pickle machine: what it grants, and that it grants nothing else.
#include "formats/pth/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linnet::formats::pickle {
namespace {

using ::testing::HasSubstr;
using std::string_literals::operator""s;

std::string complaint(const std::string& pickle) {
  Machine machine(std::as_bytes(std::span(pickle)));
  const auto value = machine.run();
  return value ? "no complaint" : value.error().message;
}

/// The integer that a pickle leaves, or -999.
std::int64_t integer(const std::string& pickle) {
  Machine machine(std::as_bytes(std::span(pickle)));
  const auto value = machine.run();
  const auto* number = value ? std::get_if<std::int64_t>(&*value) : nullptr;
  return number ? *number : -999;
}

TEST(pickle, integers_of_every_width_and_sign) {
  EXPECT_EQ(integer("K\xff."), 255);
  EXPECT_EQ(integer("M\xff\xff."), 65535);
  EXPECT_EQ(integer("J\xfe\xff\xff\xff."), -2);
  EXPECT_EQ(integer("\x8a\x00."s), 0);
  EXPECT_EQ(integer("\x8a\x01\xfe."), -2);
  EXPECT_EQ(integer("\x8a\x03\x00\x00\x01."s), 65536);
  EXPECT_EQ(integer("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f."), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(integer("\x8b\x02\x00\x00\x00\x01\x01."s), 257);
}

TEST(pickle, several_lie_one_after_the_other) {
  const std::string pickles = "K\x01.K\x02.rest";
  Machine machine(std::as_bytes(std::span(pickles)));
  EXPECT_EQ(std::get<std::int64_t>(machine.run().value()), 1);
  EXPECT_EQ(std::get<std::int64_t>(machine.run().value()), 2);
  EXPECT_EQ(machine.rest().size(), 4u);
}

TEST(pickle, the_memo_marks_and_pops_work) {
  EXPECT_EQ(integer("K\x05q\x07"
                    "0K\x06"
                    "0h\x07."),
            5);
  EXPECT_EQ(integer("K\x05\x94"
                    "0h\x00."s),
            5);
  EXPECT_EQ(integer("K\x01(K\x02K\x03"
                    "1."),
            1);
  EXPECT_EQ(integer("K\x01(0."), 1);
}

TEST(pickle, a_dictionary_may_hold_itself) {
  EXPECT_EQ(complaint("}q\x00K\x01h\x00s."s), "no complaint");  // and the leak sanitizer is content
}

TEST(pickle, every_call_into_python_is_refused_by_name) {
  for (const char* name :
       {"posix\nsystem", "builtins\neval", "os\nsystem", "torch\nload", "torch._utils\n_rebuild_qtensor",
        "torchvision.models.mobilenetv2\nMobileNetV2", "argparse\nNamespace", "collections\nChainMap"}) {
    std::string dotted = name;
    dotted.replace(dotted.find('\n'), 1, ".");
    EXPECT_THAT(complaint("c" + std::string(name) + "\n."),
                HasSubstr("\"" + dotted + "\". Linnet reads tensors and runs no code"));
  }
  EXPECT_THAT(complaint("\x8c\x05posix\x8c\x06system\x93."), HasSubstr("\"posix.system\""));
}

TEST(pickle, every_opcode_that_makes_other_objects_is_refused) {
  for (const char opcode : {'i', 'o', '\x81', '\x92', 'P', '\x82', '\x83', '\x84', '\x97', '\x98', '\x8f',
                            'I', 'F', 'S', 'V', '2'})
    EXPECT_THAT(complaint("(K\x01" + std::string(1, opcode) + "K\x01\n\n."), HasSubstr("opcode 0x"))
        << opcode;
}

TEST(pickle, what_is_granted_is_granted_with_proper_arguments_only) {
  EXPECT_THAT(complaint("ccollections\nOrderedDict\n(K\x01tR."), HasSubstr("made of a list"));
  EXPECT_THAT(complaint("ctorch._utils\n_rebuild_tensor_v2\n)R."),
              HasSubstr("something else than a storage"));
  EXPECT_THAT(complaint("ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x02K\x03K\x04tR."),
              HasSubstr("something else than a storage"));
  EXPECT_THAT(complaint("ctorch._utils\n_rebuild_parameter\n(K\x01tR."), HasSubstr("made of no tensor"));
  EXPECT_THAT(complaint("ctorch\nFloatStorage\n)R."), HasSubstr("calls something"));
  EXPECT_THAT(complaint("K\x01Q."), HasSubstr("no tensor storage"));
  EXPECT_THAT(complaint("K\x01}b."), HasSubstr("no dictionary"));
}

TEST(pickle, a_damaged_stack_is_refused) {
  for (const char* pickle : {".", "0.", "t.", "u.", "s.", "a.", "e.", "R.", "b.", "Q.", "\x93.", "\x85.",
                             "q\x01.", "1.", "K\x01(.", "K\x01K\x02.", "(0K\x01s.", "K\x01(\x85."})
    EXPECT_THAT(complaint(pickle), HasSubstr("pickle")) << pickle;
  EXPECT_THAT(complaint("h\x01."), HasSubstr("never remembered"));
  EXPECT_THAT(complaint("](K\x01K\x02u."), HasSubstr("no dictionary"));
  EXPECT_THAT(complaint("}K\x01"
                        "a."),
              HasSubstr("no list"));
}

TEST(pickle, lengths_beyond_the_end_are_refused) {
  EXPECT_THAT(complaint("X\xff\xff\xff\xff"
                        "abc."),
              HasSubstr("truncated"));
  EXPECT_THAT(complaint("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
                        "abc."),
              HasSubstr("truncated"));
  EXPECT_THAT(complaint("\x95\xff\xff\xff\xff\xff\xff\xff\x7f."), HasSubstr("truncated"));
  EXPECT_THAT(complaint("cabc"), HasSubstr("truncated"));
  EXPECT_THAT(complaint("K\x01"), HasSubstr("no end"));
  EXPECT_THAT(complaint("\x80\x06."), HasSubstr("protocol 6"));
}

TEST(pickle, a_pickle_that_only_piles_up_is_stopped) {
  const std::size_t many = (1 << 20) + 1;
  EXPECT_THAT(complaint(std::string(many, 'N') + "."), HasSubstr("piles up"));
  EXPECT_THAT(complaint(std::string(many, '(') + "."), HasSubstr("piles up"));
  std::string objects;
  for (std::size_t i = 0; i < many; ++i) objects += "]0";
  EXPECT_THAT(complaint(objects + "."), HasSubstr("objects"));
}

}  // namespace
}  // namespace linnet::formats::pickle
