# The QUIC stack as two targets, for our own libraries only:
#   moqlite_quic        ngtcp2, its crypto_ossl, libssl, libcrypto
#   moqlite_quic_http3  nghttp3, where it is there
# In order: MOQLITE_QUIC_ROOT, system packages where recent enough, what build-quic-stack made (./dev setup).
set(MOQLITE_QUIC_ROOT "$ENV{MOQLITE_QUIC_ROOT}" CACHE PATH "Prefix of OpenSSL, ngtcp2 and nghttp3; empty: the system's, or what ./dev setup built")
set(MOQLITE_TLS openssl CACHE STRING "TLS library under ngtcp2")

if(NOT MOQLITE_TLS STREQUAL openssl)
    message(FATAL_ERROR "MOQLITE_TLS=${MOQLITE_TLS} is not supported yet (GnuTLS: issue 3); only openssl is")
endif()

set(moqlite_quic_openssl_minimum 3.5)
set(moqlite_quic_ngtcp2_minimum 1.12)
set(moqlite_quic_nghttp3_minimum 1.8)

find_package(Threads REQUIRED)
add_library(moqlite_quic INTERFACE)
# Symbols of a static libcrypto must not be found by whoever else uses the system's.
target_link_options(moqlite_quic INTERFACE
    "$<$<PLATFORM_ID:Linux>:LINKER:--exclude-libs,libssl.a:libcrypto.a:libngtcp2.a:libngtcp2_crypto_ossl.a:libnghttp3.a>")

set(moqlite_quic_prefix "${MOQLITE_QUIC_ROOT}")
if(NOT moqlite_quic_prefix)
    find_package(PkgConfig)
    if(PkgConfig_FOUND)
        pkg_check_modules(moqlite_system_quic QUIET IMPORTED_TARGET libngtcp2_crypto_ossl>=${moqlite_quic_ngtcp2_minimum}
            libngtcp2>=${moqlite_quic_ngtcp2_minimum} libssl>=${moqlite_quic_openssl_minimum} libcrypto>=${moqlite_quic_openssl_minimum})
        pkg_check_modules(moqlite_system_http3 QUIET IMPORTED_TARGET libnghttp3>=${moqlite_quic_nghttp3_minimum})
    endif()
    if(moqlite_system_quic_FOUND AND moqlite_system_http3_FOUND)
        message(STATUS "moqlite: QUIC stack of the system: ngtcp2 ${moqlite_system_quic_libngtcp2_VERSION}, "
            "OpenSSL ${moqlite_system_quic_libssl_VERSION}, nghttp3 ${moqlite_system_http3_VERSION}")
        target_link_libraries(moqlite_quic INTERFACE PkgConfig::moqlite_system_quic Threads::Threads)
        add_library(moqlite_quic_http3 INTERFACE)
        target_link_libraries(moqlite_quic_http3 INTERFACE PkgConfig::moqlite_system_http3)
        return()
    endif()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/build-quic-stack)
    execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/build-quic-stack --prefix
        OUTPUT_VARIABLE moqlite_quic_prefix OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    if(NOT EXISTS "${moqlite_quic_prefix}/complete")
        message(FATAL_ERROR "No QUIC stack: run ./dev setup, or set MOQLITE_QUIC_ROOT to a prefix with OpenSSL >= "
            "${moqlite_quic_openssl_minimum}, ngtcp2 >= ${moqlite_quic_ngtcp2_minimum} with crypto_ossl and nghttp3 >= "
            "${moqlite_quic_nghttp3_minimum}, or configure with -DMOQLITE_BUILD_ADAPTERS=OFF")
    endif()
endif()

# moqlite_quic_version(<variable> <header> <regular expression with the version as its group>)
function(moqlite_quic_version variable header expression)
    set(version 0)
    if(EXISTS "${moqlite_quic_prefix}/include/${header}")
        file(STRINGS "${moqlite_quic_prefix}/include/${header}" line REGEX "${expression}" LIMIT_COUNT 1)
        if(line MATCHES "${expression}")
            set(version "${CMAKE_MATCH_1}")
        endif()
    endif()
    set(${variable} ${version} PARENT_SCOPE)
endfunction()

# moqlite_quic_archives(<target> <libraries>)
function(moqlite_quic_archives target)
    foreach(name ${ARGN})
        find_library(file ${name} PATHS ${moqlite_quic_prefix}/lib ${moqlite_quic_prefix}/lib64 NO_DEFAULT_PATH NO_CACHE REQUIRED)
        target_link_libraries(${target} INTERFACE ${file})
        unset(file)
    endforeach()
    target_include_directories(${target} SYSTEM INTERFACE ${moqlite_quic_prefix}/include)
    target_link_libraries(${target} INTERFACE Threads::Threads ${CMAKE_DL_LIBS})
endfunction()

moqlite_quic_version(openssl_version openssl/opensslv.h "define OPENSSL_VERSION_STR \"([0-9.]+)\"")
moqlite_quic_version(ngtcp2_version ngtcp2/version.h "define NGTCP2_VERSION \"([0-9.]+)")
moqlite_quic_version(nghttp3_version nghttp3/version.h "define NGHTTP3_VERSION \"([0-9.]+)")
message(STATUS "moqlite: QUIC stack in ${moqlite_quic_prefix}: ngtcp2 ${ngtcp2_version}, OpenSSL ${openssl_version}, nghttp3 ${nghttp3_version}")
foreach(name openssl ngtcp2)
    if(${name}_version VERSION_LESS moqlite_quic_${name}_minimum)
        message(FATAL_ERROR "${moqlite_quic_prefix} has ${name} ${${name}_version}; moqlite needs ${moqlite_quic_${name}_minimum} or later")
    endif()
endforeach()
moqlite_quic_archives(moqlite_quic ngtcp2_crypto_ossl ngtcp2 ssl crypto)
if(nghttp3_version VERSION_GREATER_EQUAL moqlite_quic_nghttp3_minimum)
    add_library(moqlite_quic_http3 INTERFACE)
    moqlite_quic_archives(moqlite_quic_http3 nghttp3)
endif()
