# octet_test(name DIR dir LABEL unit|kernel|parity|program|slow DEPS ...): one test program per folder, each of its cases a
# test of ctest. tests/machinery tries it on cases that must fail.
find_package(doctest REQUIRED)
include(doctest)

# Compiling the tests takes longer than running them, so their own code is optimized less than what they test.
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(test_optimization -O0)
else()
  set(test_optimization -O1)
endif()

add_library(octet_test_main OBJECT ${CMAKE_CURRENT_LIST_DIR}/main.cc)
target_link_libraries(octet_test_main PRIVATE octet_flags doctest::doctest)
target_compile_options(octet_test_main PRIVATE ${test_optimization})

function(octet_test name)
  cmake_parse_arguments(ARG "" "DIR;LABEL" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${ARG_DIR}/*_test.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(test_${name} $<TARGET_OBJECTS:octet_test_main> ${sources})
  target_link_libraries(test_${name} PRIVATE octet_flags doctest::doctest ${ARG_DEPS})
  target_compile_options(test_${name} PRIVATE ${test_optimization})
  if(name MATCHES "^kernels_")  # they call things alike, and their loops are long: minutes, in a sanitized build
    set_target_properties(test_${name} PROPERTIES UNITY_BUILD OFF)
    target_compile_options(test_${name} PRIVATE -O1)
  endif()
  target_compile_definitions(test_${name} PRIVATE OCTET_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    OCTET_TRAIN="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/train" OCTET_EVAL="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/eval"
    OCTET_BENCH="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/bench")
  # The exit code alone decides. Whatever else ctest offers (SKIP_, PASS_REGULAR_EXPRESSION) outweighs a failure's.
  doctest_discover_tests(test_${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                         PROPERTIES LABELS ${ARG_LABEL} SKIP_RETURN_CODE 77)
endfunction()
