// A program for CMake to hang the tests' precompiled headers on.
int main() {}
