# cmake -D TREE=<directory> -D PREFIX=<directory> -D CONFIGURE=<moqlite> -D ASIO=<project> -D GENERATOR=.. -D COMPILER=.. -P missing.cmake
# Installs a moqlite without adapters, and asks it for one.
execute_process(COMMAND ${CMAKE_COMMAND} -G ${GENERATOR} -S ${CONFIGURE} -B ${TREE} -DCMAKE_CXX_COMPILER=${COMPILER} -DMOQLITE_BUILD_ADAPTERS=OFF
    -DMOQLITE_BUILD_TESTS=OFF -DMOQLITE_BUILD_FUZZ=OFF OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
include(${CMAKE_CURRENT_LIST_DIR}/install.cmake)
execute_process(COMMAND ${CMAKE_COMMAND} -G ${GENERATOR} -S ${ASIO} -B ${TREE}/asio -DCMAKE_CXX_COMPILER=${COMPILER} -DWAY=find_package -DCMAKE_PREFIX_PATH=${PREFIX}
    OUTPUT_QUIET ERROR_VARIABLE said RESULT_VARIABLE result)
if(result EQUAL 0 OR NOT said MATCHES "installed[ \n]+without[ \n]+its[ \n]+adapters")
    message(FATAL_ERROR "it should have said that it has no adapters, and said: ${said}")
endif()
