/* tls_serve.h - a worker's TLS side, and openssl s_client as its clients */
#ifndef TEST_UNIT_TLS_SERVE_H
#define TEST_UNIT_TLS_SERVE_H
#include "test/unit/tls_pki.h"
#include "worker/session.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/types.h>

/* a worker's TLS side, without the worker */
struct server {
    struct conf_service service;
    struct tls_side *context;
    struct sign sign;
    pid_t keeper;
    struct session_rules rules;
};

/* what came of one connection */
struct result {
    enum err err;
    enum reason reason;
    struct why why;
    struct session session; /* after session_accept, before session_end */
    char output[65536];     /* of the client */
    int alert;              /* that the client saw, -1 */
};

extern int listener;
extern struct sockaddr_in address;
extern struct session session; /* one for all connections, as in a worker */

/* server_start, server_start_many - with certificates NAME.chain and keys
 * NAME.key, and server->service, which must stay where it is */
void server_start(struct server *server, const char *key, const char *ca);
void server_start_many(struct server *server, const char *const *names,
                       const char *ca, const char *const *crls);
void server_end(struct server *server);

/* listen_once - the socket that all servers of a process share */
void listen_once(void);

/* take - one connection, by a client that runs already (pid, 0: nobody waits
 * for it) with its output in a file (NULL: none) */
void take(struct server *server, pid_t pid, const char *output,
          struct result *result, int64_t ms);

/* connect_with - one connection by openssl s_client with these arguments */
void connect_with(struct server *server, const char *const *args,
                  struct result *result);

/* connect_as - a client NAME (NAME.crt, NAME.key, NAME.above), TLS 1.2 or 1.3;
 * "": without a certificate */
void connect_as(struct server *server, const char *name, bool tls13,
                struct result *result);

/* show - a line about it when SHOW is in the environment */
void show(const char *name, bool tls13, const struct result *r);

/* tls_serve_teardown - for a group of tests: what all servers shared */
int tls_serve_teardown(void **state);
#endif
