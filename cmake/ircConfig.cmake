# find_package(irc): the program IRC_EXECUTABLE and the function irc_lower.
#
#   irc_lower(TARGET MODEL model.yaml [OUTPUT FOLDER] [SET KEY=VALUE...] [PLUGINS FILE...])
#
# lowers a model file when anything that it reads has changed, and makes a static library TARGET of the C files. The target's property
# IRC_WEIGHTS names the weights file, which the program gives to NAME_create.
cmake_minimum_required(VERSION 3.21)

# Installed, this file lies in lib/cmake/irc.
find_program(IRC_EXECUTABLE irc HINTS "${CMAKE_CURRENT_LIST_DIR}/../../../bin")
if(NOT IRC_EXECUTABLE)
  set(irc_FOUND FALSE)
  set(irc_NOT_FOUND_MESSAGE "the program irc was not found; name it with -DIRC_EXECUTABLE=PATH")
  return()
endif()

function(irc_lower target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "MODEL;OUTPUT" "SET;PLUGINS")
  if(NOT arg_MODEL OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "irc_lower(TARGET MODEL model.yaml [OUTPUT FOLDER] [SET KEY=VALUE...] [PLUGINS FILE...])")
  endif()
  if(NOT arg_OUTPUT)
    set(arg_OUTPUT "${target}")
  endif()
  # Absolute paths, so that the dependency file names the same files from wherever it is read.
  get_filename_component(model "${arg_MODEL}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
  get_filename_component(output "${arg_OUTPUT}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_BINARY_DIR}")
  set(command "${IRC_EXECUTABLE}" lower "${model}" --output "${output}" --quiet)
  foreach(setting IN LISTS arg_SET)
    list(APPEND command --set "${setting}")
  endforeach()
  foreach(plugin IN LISTS arg_PLUGINS)
    get_filename_component(plugin "${plugin}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
    list(APPEND command --plugin "${plugin}")
  endforeach()

  # Which files there will be depends on the network and the pipeline, and is known without lowering.
  execute_process(
    COMMAND ${command} --dry-run --json
    OUTPUT_VARIABLE plan ERROR_VARIABLE errors RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${errors}")
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${model}")
  string(JSON dependencies GET "${plan}" dependencies)
  string(JSON file_count LENGTH "${plan}" files)
  string(JSON flag_count LENGTH "${plan}" compiler_flags)
  set(files)
  set(sources)
  set(flags)
  math(EXPR last "${file_count} - 1")
  foreach(index RANGE ${last})
    string(JSON name GET "${plan}" files ${index})
    list(APPEND files "${output}/${name}")
    if(name MATCHES "\\.c$")
      list(APPEND sources "${output}/${name}")
    elseif(name MATCHES "\\.weights$")
      set(weights "${output}/${name}")
    endif()
  endforeach()
  math(EXPR last "${flag_count} - 1")
  foreach(index RANGE ${last})
    string(JSON flag GET "${plan}" compiler_flags ${index})
    list(APPEND flags "${flag}")
  endforeach()

  # A stamp stands for the run. The files themselves keep their times when they stay the same, whatever builds.
  set(stamp "${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${target}.lowered")
  add_custom_command(
    OUTPUT "${stamp}"
    BYPRODUCTS ${files} "${output}/manifest.json"
    COMMAND ${command}
    COMMAND "${CMAKE_COMMAND}" -E touch "${stamp}"
    DEPENDS "${model}" "${IRC_EXECUTABLE}"
    DEPFILE "${dependencies}"
    COMMENT "Lowering ${arg_MODEL}" VERBATIM)
  add_custom_target(${target}_lowered DEPENDS "${stamp}")
  add_library(${target} STATIC ${sources})
  add_dependencies(${target} ${target}_lowered)
  target_compile_options(${target} PRIVATE ${flags})
  # What threads need is for the program's linker as well.
  foreach(flag IN LISTS flags)
    if(flag MATCHES "^-(pthread|fopenmp)$")
      target_link_options(${target} PUBLIC "${flag}")
    endif()
  endforeach()
  target_include_directories(${target} PUBLIC "${output}")
  if(UNIX)
    target_link_libraries(${target} PUBLIC m)
  endif()
  set_target_properties(${target} PROPERTIES IRC_WEIGHTS "${weights}")
endfunction()
