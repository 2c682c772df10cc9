// fmt's compiled part, whose library is not here for ARM: as its headers define it, for all the sources that only declare it and so
// compile in two thirds of the time. Compiled with -O0 -fkeep-inline-functions, so that each function comes out.
#define FMT_HEADER_ONLY
#include <fmt/format.h>
