/* http_path.h - request targets: their forms, their dangers, their route; pure
 */
#ifndef WORKER_HTTP_PATH_H
#define WORKER_HTTP_PATH_H
#include "worker/http_fault.h"
#include "worker/http_text.h"
#include <stdbool.h>
#include <stddef.h>

struct conf_service;

/*
 * http_target - judge a target and make origin-form of it
 * host   the Host field's value, judged already; empty: there is none (1.0).
 * Absolute-form must name the same host (any case, default port or none), and
 * gives *host when there was none. Asterisk-form only for OPTIONS.
 * *origin points into the target, or is "/" or "*"; an absolute target with an
 * empty path and a query has no origin-form in the same bytes: refused.
 * Refused in the path: dot segments (also encoded, also with parameters
 * behind), %2f, %5c, %00, backslash, broken escapes, anything that is not
 * visible ASCII, a fragment.
 */
enum http_fault http_target(struct http_text target, bool options,
                            struct http_text *host, struct http_text *origin);

/* http_host - a host name, an address or [V6], and perhaps a port; nothing
 * else: this text ends up in headers and logs */
bool http_host(struct http_text host);

/* http_host_name - without the port */
struct http_text http_host_name(struct http_text host);

/*
 * http_route - the index of the route for a judged target: the longest path that
 * covers whole segments of it, decoded and with slashes merged; 0 when none does.
 * HTTP_PATH_PARAMETER: another route would be chosen if path parameters (;x=y)
 * were left out, as some upstreams do: nobody may reach one route's place by
 * another's way.
 */
enum http_fault http_route(const struct conf_service *service,
                           struct http_text origin, size_t *route);
#endif
