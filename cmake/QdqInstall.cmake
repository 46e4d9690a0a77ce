# What `cmake --install` copies, and the package that find_package(qdq) finds.
include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/qdq")

install(TARGETS qdq EXPORT qdqTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/qdq" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT qdqTargets NAMESPACE qdq:: DESTINATION "${package_dir}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/qdqConfig.cmake.in" "${PROJECT_BINARY_DIR}/qdqConfig.cmake"
  INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/qdqConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/qdqConfig.cmake" "${PROJECT_BINARY_DIR}/qdqConfigVersion.cmake"
  DESTINATION "${package_dir}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/README.md" DESTINATION "${CMAKE_INSTALL_DOCDIR}")

if(QDQ_HAVE_ONEDNN)
  # oneDNN comes from a folder of this build: the installed programs must not depend on that.
  install(FILES "$<TARGET_FILE:DNNL::dnnl>" DESTINATION "${CMAKE_INSTALL_LIBDIR}" RENAME libdnnl.so.3)
endif()
if(QDQ_BUILD_CLI)
  file(RELATIVE_PATH lib_from_bin "/${CMAKE_INSTALL_BINDIR}" "/${CMAKE_INSTALL_LIBDIR}")
  set_target_properties(qdq_program PROPERTIES INSTALL_RPATH "$ORIGIN/${lib_from_bin}")
  install(TARGETS qdq_program RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()

# The manual page and the completions come from the program itself, which a cross build cannot run.
if(QDQ_BUILD_CLI AND NOT CMAKE_CROSSCOMPILING)
  set(generated "${PROJECT_BINARY_DIR}/generated")
  file(MAKE_DIRECTORY "${generated}")
  add_custom_command(
    OUTPUT "${generated}/qdq.1" "${generated}/qdq.bash" "${generated}/_qdq" "${generated}/qdq.fish"
    COMMAND qdq_program manual > "${generated}/qdq.1"
    COMMAND qdq_program completions bash > "${generated}/qdq.bash"
    COMMAND qdq_program completions zsh > "${generated}/_qdq"
    COMMAND qdq_program completions fish > "${generated}/qdq.fish"
    DEPENDS qdq_program VERBATIM)
  add_custom_target(qdq_shell_files ALL DEPENDS "${generated}/qdq.1")
  install(FILES "${generated}/qdq.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
  install(FILES "${generated}/qdq.bash" DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" RENAME qdq)
  install(FILES "${generated}/_qdq" DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions")
  install(FILES "${generated}/qdq.fish" DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
endif()
