# Compile options for our own targets, and the helper that declares one folder of src/ as a layer.
include(GNUInstallDirs)
find_program(QDQ_CCACHE ccache)
if(QDQ_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${QDQ_CCACHE}")
endif()

add_library(qdq_options INTERFACE)
# Floating point must give the same bits on every machine: no contraction into FMA unless a kernel asks for it.
target_compile_options(qdq_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -ffp-contract=off)
# GCC 12 sees overlapping copies in std::string's operator+ when it optimises (its bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(qdq_options INTERFACE -Wno-restrict)
endif()
if(QDQ_WERROR)
  target_compile_options(qdq_options INTERFACE -Werror)
endif()
if(QDQ_SANITIZE)
  target_compile_options(qdq_options INTERFACE -fsanitize=${QDQ_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(qdq_options INTERFACE -fsanitize=${QDQ_SANITIZE})
endif()
if(QDQ_COVERAGE)
  target_compile_options(qdq_options INTERFACE --coverage)
  target_link_options(qdq_options INTERFACE --coverage)
endif()

# qdq_allocator(program): graphs are many small objects; mimalloc makes and frees them in half the time that glibc takes.
# The library leaves the choice to whoever links it. Sanitizers bring an allocator of their own.
function(qdq_allocator program)
  if(QDQ_MIMALLOC AND NOT QDQ_SANITIZE)
    find_package(mimalloc 2.0 REQUIRED)
    target_sources(${program} PRIVATE "${PROJECT_SOURCE_DIR}/src/cli/mimalloc_settings.cc")
    # By its name alone nothing asks for the library: it takes the place of malloc.
    target_link_libraries(${program} PRIVATE -Wl,--push-state,--no-as-needed mimalloc -Wl,--pop-state)
  endif()
endfunction()

# Flat hash tables; headers only.
find_path(QDQ_ROBIN_MAP_INCLUDE tsl/robin_map.h REQUIRED)

# qdq_layer(name SOURCES ... [LINK ...]): an object library of one folder, gathered into libqdq.
function(qdq_layer name)
  cmake_parse_arguments(LAYER "" "" "SOURCES;LINK" ${ARGN})
  add_library(qdq_${name} OBJECT ${LAYER_SOURCES})
  target_include_directories(qdq_${name} PUBLIC "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src")
  target_include_directories(qdq_${name} SYSTEM PUBLIC "${QDQ_ROBIN_MAP_INCLUDE}")
  target_link_libraries(qdq_${name} PUBLIC qdq_options ${LAYER_LINK})
  set_property(GLOBAL APPEND PROPERTY QDQ_LAYERS qdq_${name})
endfunction()
