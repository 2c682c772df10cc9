// A program that names the ONNX reader, and so links protobuf: the counterpart of examples/label_a_photo.
#include <linnet/onnx.h>

int main(int argc, char** argv) { return argc == 2 && linnet::load_onnx(argv[1]) ? 0 : 1; }
