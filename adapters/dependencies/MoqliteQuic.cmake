# The QUIC stack as two imported targets, for our own libraries only:
#   moqlite_quic        ngtcp2, its crypto_ossl, libssl, libcrypto
#   moqlite_quic_http3  nghttp3, where it is there
# In order: MOQLITE_QUIC_ROOT, system packages where recent enough, what build-quic-stack made (./dev setup). Where none of them will do,
# moqlite_quic_problem says why. It is installed, too: moqlite-config.cmake sets beforehand what the adapters were built with,
#   moqlite_quic_<openssl|ngtcp2|nghttp3>_minimum   versions
#   moqlite_quic_cached                             the name of build-quic-stack's directory in the per-user cache; empty: it was not that
set(MOQLITE_QUIC_ROOT "$ENV{MOQLITE_QUIC_ROOT}" CACHE PATH "Prefix of OpenSSL, ngtcp2 and nghttp3; empty: the system's, or what ./dev setup built")

set(moqlite_quic_problem "")
if(TARGET moqlite_quic)
    return()
endif()
find_package(Threads REQUIRED)

set(moqlite_quic_installed FALSE)
if(DEFINED moqlite_quic_cached)
    set(moqlite_quic_installed TRUE)
else()
    set(moqlite_quic_cached "")
    set(moqlite_quic_openssl_minimum 3.5)
    set(moqlite_quic_ngtcp2_minimum 1.12)
    set(moqlite_quic_nghttp3_minimum 1.8)
endif()

set(moqlite_quic_prefix "${MOQLITE_QUIC_ROOT}")
if(NOT moqlite_quic_prefix)
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND)
        pkg_check_modules(moqlite_system_quic QUIET IMPORTED_TARGET libngtcp2_crypto_ossl>=${moqlite_quic_ngtcp2_minimum}
            libngtcp2>=${moqlite_quic_ngtcp2_minimum} libssl>=${moqlite_quic_openssl_minimum} libcrypto>=${moqlite_quic_openssl_minimum})
        pkg_check_modules(moqlite_system_http3 QUIET IMPORTED_TARGET libnghttp3>=${moqlite_quic_nghttp3_minimum})
    endif()
    if(moqlite_system_quic_FOUND AND moqlite_system_http3_FOUND)
        set(moqlite_quic_openssl_version ${moqlite_system_quic_libssl_VERSION})
        set(moqlite_quic_ngtcp2_version ${moqlite_system_quic_libngtcp2_VERSION})
        set(moqlite_quic_nghttp3_version ${moqlite_system_http3_VERSION})
        if(NOT moqlite_FIND_QUIETLY)
            message(STATUS "moqlite: QUIC stack of the system: ngtcp2 ${moqlite_quic_ngtcp2_version}, "
                "OpenSSL ${moqlite_quic_openssl_version}, nghttp3 ${moqlite_quic_nghttp3_version}")
        endif()
        add_library(moqlite_quic INTERFACE IMPORTED)
        target_link_libraries(moqlite_quic INTERFACE PkgConfig::moqlite_system_quic Threads::Threads)
        add_library(moqlite_quic_http3 INTERFACE IMPORTED)
        target_link_libraries(moqlite_quic_http3 INTERFACE PkgConfig::moqlite_system_http3)
        return()
    endif()
    if(moqlite_quic_installed)
        # As build-quic-stack does.
        set(moqlite_quic_prefix "$ENV{HOME}/.cache/moqlite/${moqlite_quic_cached}")
        if(NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
            set(moqlite_quic_prefix "$ENV{XDG_CACHE_HOME}/moqlite/${moqlite_quic_cached}")
        endif()
    else()
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/build-quic-stack)
        execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/build-quic-stack --prefix
            OUTPUT_VARIABLE moqlite_quic_prefix OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
        cmake_path(GET moqlite_quic_prefix FILENAME moqlite_quic_cached)
    endif()
    if(NOT moqlite_quic_cached OR NOT EXISTS "${moqlite_quic_prefix}/complete")
        set(moqlite_quic_problem "no QUIC stack: set MOQLITE_QUIC_ROOT to a prefix with OpenSSL >= ${moqlite_quic_openssl_minimum}, \
ngtcp2 >= ${moqlite_quic_ngtcp2_minimum} with crypto_ossl and nghttp3 >= ${moqlite_quic_nghttp3_minimum}")
        return()
    endif()
endif()

# moqlite_quic_version(<library> <header> <regular expression with the version as its group>)
function(moqlite_quic_version library header expression)
    set(version 0)
    if(EXISTS "${moqlite_quic_prefix}/include/${header}")
        file(STRINGS "${moqlite_quic_prefix}/include/${header}" line REGEX "${expression}" LIMIT_COUNT 1)
        if(line MATCHES "${expression}")
            set(version "${CMAKE_MATCH_1}")
        endif()
    endif()
    set(moqlite_quic_${library}_version ${version} PARENT_SCOPE)
endfunction()

# moqlite_quic_archives(<target> <libraries>): makes the target if all of them are there.
function(moqlite_quic_archives target)
    set(files "")
    foreach(name ${ARGN})
        unset(file)
        find_library(file ${name} PATHS ${moqlite_quic_prefix}/lib ${moqlite_quic_prefix}/lib64 NO_DEFAULT_PATH NO_CACHE)
        if(NOT file)
            set(moqlite_quic_problem "no library ${name} in ${moqlite_quic_prefix}" PARENT_SCOPE)
            return()
        endif()
        list(APPEND files ${file})
    endforeach()
    add_library(${target} INTERFACE IMPORTED)
    target_include_directories(${target} SYSTEM INTERFACE ${moqlite_quic_prefix}/include)
    target_link_libraries(${target} INTERFACE ${files} Threads::Threads ${CMAKE_DL_LIBS})
    # Symbols of a static libcrypto must not be found by whoever else uses the system's.
    target_link_options(${target} INTERFACE
        "$<$<PLATFORM_ID:Linux>:LINKER:--exclude-libs,libssl.a:libcrypto.a:libngtcp2.a:libngtcp2_crypto_ossl.a:libnghttp3.a>")
endfunction()

moqlite_quic_version(openssl openssl/opensslv.h "define OPENSSL_VERSION_STR \"([0-9.]+)\"")
moqlite_quic_version(ngtcp2 ngtcp2/version.h "define NGTCP2_VERSION \"([0-9.]+)")
moqlite_quic_version(nghttp3 nghttp3/version.h "define NGHTTP3_VERSION \"([0-9.]+)")
foreach(library openssl ngtcp2)
    if(moqlite_quic_${library}_version VERSION_LESS moqlite_quic_${library}_minimum)
        set(moqlite_quic_problem "${library} ${moqlite_quic_${library}_minimum} or later is needed; ${moqlite_quic_prefix} has ${library} \
${moqlite_quic_${library}_version} (0: none)")
        return()
    endif()
endforeach()
if(NOT moqlite_FIND_QUIETLY)
    message(STATUS "moqlite: QUIC stack in ${moqlite_quic_prefix}: ngtcp2 ${moqlite_quic_ngtcp2_version}, "
        "OpenSSL ${moqlite_quic_openssl_version}, nghttp3 ${moqlite_quic_nghttp3_version}")
endif()
moqlite_quic_archives(moqlite_quic ngtcp2_crypto_ossl ngtcp2 ssl crypto)
if(moqlite_quic_nghttp3_version VERSION_GREATER_EQUAL moqlite_quic_nghttp3_minimum)
    moqlite_quic_archives(moqlite_quic_http3 nghttp3)
endif()
