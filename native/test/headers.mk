# Headers that nearly all native code includes are read once. What is compiled takes them only with the very flags that
# they were compiled with. For a Makefile with CXX, CXXFLAGS, TEST_FLAGS and OUT.
HEADERS := $(dir $(lastword $(MAKEFILE_LIST)))headers.h
SOURCE_HEADERS := $(OUT)/source/headers.h
TEST_HEADERS := $(OUT)/tests/headers.h
COMPILE = $(CXX) $(CXXFLAGS) -include $(SOURCE_HEADERS)
COMPILE_TEST = $(CXX) $(CXXFLAGS) $(TEST_FLAGS) -DPLUGPULL_TESTS $(INCLUDED)
INCLUDED = -include $(TEST_HEADERS)
# What implements doctest says so before it includes it.
%/main_test.o: INCLUDED :=

$(SOURCE_HEADERS).gch: $(HEADERS) $(MAKEFILE_LIST)
	@mkdir -p $(dir $@)
	$(CXX) $(CXXFLAGS) -x c++-header -o $@ $<

$(TEST_HEADERS).gch: $(HEADERS) $(MAKEFILE_LIST)
	@mkdir -p $(dir $@)
	$(CXX) $(CXXFLAGS) $(TEST_FLAGS) -DPLUGPULL_TESTS -x c++-header -o $@ $<
