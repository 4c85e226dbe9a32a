/* http_vars.h - nginx's variables in header.NAME; pure */
#ifndef WORKER_HTTP_VARS_H
#define WORKER_HTTP_VARS_H
#include "worker/http_text.h"

struct conf_service;
struct http_peer;
struct http_request;

struct http_vars {
    const struct conf_service *service;
    const struct http_peer *peer;
    const struct http_request *request;
    const char *proxy_host;
};

/*
 * http_vars_expand - text with $name or ${name}; $$ is a dollar
 * Names and meanings are nginx's:
 *   remote_addr remote_port scheme server_name (the service's name) host
 *   (lower case, without port) http_host (as sent) proxy_host
 *   proxy_add_x_forwarded_for
 *   ssl_protocol (TLSv1.3) ssl_cipher (OpenSSL's name) ssl_client_verify
 *   (SUCCESS, NONE) ssl_client_s_dn ssl_client_i_dn (RFC 2253)
 *   ssl_client_serial ssl_client_fingerprint (SHA-1, hex)
 *   ssl_client_escaped_cert
 * What there is nothing to say about is empty, and so is an unknown name (the
 * configuration has refused it). A distinguished name that had to be cut is
 * empty too: a part of a name may be somebody else's.
 */
void http_vars_expand(const char *text, const struct http_vars *vars,
                      struct http_out *out);
#endif
