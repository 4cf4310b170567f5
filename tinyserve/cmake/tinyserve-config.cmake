# SPDX-License-Identifier: Apache-2.0
# tinyserve_add_model(<target> <model> [NAME name] [BOARD board] [OPTIMIZE balanced|speed|size|ram]
#                     [OPTIONS option...])
#
# A static library <target> with the compiled model: link to it and include "<name>.h". <model> is a .tflite file, a
# bundle, or whatever else `tinyserve compile` takes; it is compiled again when it changes. NAME (default: the target)
# gives the prefix: ts_<name>_init(), ts_<name>_invoke(). BOARD uses the instructions of that board's core; its
# assembly kernels need project(... LANGUAGES C ASM) and a model that exists when CMake runs. OPTIONS are passed on.
#
# The command is found on PATH, or in -DTINYSERVE_EXECUTABLE=/path/to/tinyserve.
include_guard(GLOBAL)

find_program(TINYSERVE_EXECUTABLE tinyserve DOC "The tinyserve command")

function(tinyserve_add_model target model)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "NAME;BOARD;OPTIMIZE" "OPTIONS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tinyserve_add_model(${target}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT TINYSERVE_EXECUTABLE)
    message(FATAL_ERROR "tinyserve is not on PATH: pip install tinyserve, or set TINYSERVE_EXECUTABLE")
  endif()
  if(NOT arg_NAME)
    set(arg_NAME ${target})
  endif()
  string(TOLOWER "${arg_NAME}" name)
  if(NOT name MATCHES "^[a-z][a-z0-9]*(_[a-z0-9]+)*$")
    message(FATAL_ERROR "tinyserve_add_model(${target}): NAME ${arg_NAME} is no C identifier that can be a prefix")
  endif()

  get_filename_component(model "${model}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
  set(directory "${CMAKE_CURRENT_BINARY_DIR}/${target}.model")
  set(options --name ${name})
  if(arg_BOARD)
    list(APPEND options --board ${arg_BOARD})
  endif()
  if(arg_OPTIMIZE)
    list(APPEND options --optimize ${arg_OPTIMIZE})
  endif()
  set(command ${TINYSERVE_EXECUTABLE} compile ${model} -o ${directory} ${options} ${arg_OPTIONS})

  if(name STREQUAL "model")
    set(weights weights)
  else()
    set(weights ${name}_weights)
  endif()
  set(sources ${directory}/${name}.c ${directory}/${weights}.c)
  set(assembly "")
  if(arg_BOARD)
    _tinyserve_assembly(${target} ${model} ${directory} "${command}" assembly)
  endif()

  set(inputs ${model})
  if(IS_DIRECTORY "${model}")
    file(GLOB inputs CONFIGURE_DEPENDS "${model}/*")
  endif()
  add_custom_command(
    OUTPUT ${sources} ${directory}/${name}.h ${directory}/${weights}.h
    COMMAND ${command}
    DEPENDS ${inputs}
    COMMENT "Compiling ${model}"
    VERBATIM)
  add_library(${target} STATIC ${sources} ${assembly})
  target_include_directories(${target} PUBLIC ${directory})
  set_target_properties(${target} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON)
endfunction()

# Which assembly files a board's kernels bring is known once the model is compiled, so that happens here already, and
# again whenever the model changes.
function(_tinyserve_assembly target model directory command result)
  if(NOT EXISTS "${model}")
    message(FATAL_ERROR "tinyserve_add_model(${target}): with BOARD the model must exist when CMake runs: ${model}")
  endif()
  if(NOT IS_DIRECTORY "${model}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${model}")
  endif()
  execute_process(COMMAND ${command} RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE errors)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "tinyserve_add_model(${target}): ${errors}")
  endif()
  file(GLOB_RECURSE found "${directory}/kernels/*.S")
  if(found)
    get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
    if(NOT "ASM" IN_LIST languages)
      message(FATAL_ERROR "tinyserve_add_model(${target}): its kernels need project(... LANGUAGES C ASM)")
    endif()
  endif()
  set(${result} ${found} PARENT_SCOPE)
endfunction()
