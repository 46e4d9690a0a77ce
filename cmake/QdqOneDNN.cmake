# oneDNN for the fast float executor. Without it everything still works, on the reference kernels.
option(QDQ_ONEDNN "Fast float kernels on oneDNN" ON)
set(QDQ_ONEDNN_ROOT "${PROJECT_SOURCE_DIR}/build/onednn" CACHE PATH "Where oneDNN 3.x is installed (lib/cmake/dnnl below it)")

set(QDQ_HAVE_ONEDNN OFF)
if(QDQ_ONEDNN)
  find_package(OpenMP COMPONENTS CXX)
  find_package(dnnl 3 CONFIG HINTS "${QDQ_ONEDNN_ROOT}")
  if(dnnl_FOUND AND OpenMP_CXX_FOUND)
    set(QDQ_HAVE_ONEDNN ON)
  else()
    message(WARNING "oneDNN or OpenMP not found (QDQ_ONEDNN_ROOT=${QDQ_ONEDNN_ROOT}): float programs will run on the slow reference kernels")
  endif()
endif()
