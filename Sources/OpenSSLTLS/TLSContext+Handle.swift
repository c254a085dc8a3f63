// SPDX-License-Identifier: Apache-2.0

import COpenSSL

extension TLSContext {
    /// Owns an `SSL_CTX`, which its context sets up and nobody changes later; OpenSSL counts references and locks what
    /// connections share of it.
    final class Handle: @unchecked Sendable {
        let pointer: OpaquePointer

        deinit { SSL_CTX_free(self.pointer) }

        /// Sets what is the same on both sides, whatever the machine's openssl.cnf says.
        init(_ method: OpaquePointer?, _ minimumVersion: TLSVersion) throws(TLSError) {
            guard let pointer = SSL_CTX_new(method) else { throw TLSError(.failed, "OpenSSL makes no context") }
            self.pointer = pointer
            // Ephemeral keys and authenticated encryption only, as in TLS 1.3; groups without the finite fields, whose
            // arithmetic costs a server too much.
            guard shim_SSL_CTX_set_min_proto_version(pointer, minimumVersion.number) == 1,
                shim_SSL_CTX_set_max_proto_version(pointer, TLSVersion.tls13.number) == 1,
                SSL_CTX_set_cipher_list(pointer, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1,
                SSL_CTX_set_ciphersuites(
                    pointer, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1,
                shim_SSL_CTX_set1_groups_list(pointer, "X25519:P-256:P-384") == 1
            else {
                ERR_clear_error()
                throw TLSError(.failed, "OpenSSL lacks a version, cipher or group")
            }
            SSL_CTX_set_options(
                pointer,
                shim_SSL_OP_NO_COMPRESSION | shim_SSL_OP_NO_RENEGOTIATION | shim_SSL_OP_CIPHER_SERVER_PREFERENCE
                    | shim_SSL_OP_PRIORITIZE_CHACHA)
            // An idle connection holds no record buffers, which are most of its memory.
            _ = shim_SSL_CTX_set_mode(pointer, Int(SSL_MODE_RELEASE_BUFFERS))
            shim_SSL_CTX_set_max_cert_list(pointer, TLSLimits.maximumChainBytes)
            SSL_CTX_set_verify_depth(pointer, TLSLimits.maximumChainDepth)
            SSL_CTX_set_timeout(pointer, TLSLimits.sessionSeconds)
            // What a trust file holds is trusted, whether or not it was issued by somebody else. The distinguished name
            // is not a place for host names.
            let parameters = SSL_CTX_get0_param(pointer)
            X509_VERIFY_PARAM_set_flags(parameters, UInt(X509_V_FLAG_PARTIAL_CHAIN))
            X509_VERIFY_PARAM_set_hostflags(
                parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT))
        }
    }
}

extension TLSVersion {
    fileprivate var number: Int32 { self == .tls12 ? TLS1_2_VERSION : TLS1_3_VERSION }
}
