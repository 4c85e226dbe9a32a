/*
 * runner_env.c - the environment of a program
 *
 * Owns the names of its variables. Pure. Must never take anything from our own
 * environment.
 */
#include "master/runner_env.h"
#include <stdio.h>
#include <string.h>

#define PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* what stands before the field in the value */
static const struct {
    const char *name, *before;
    enum runwire_field field;
} table[] = {
    /* UCSPI: tcpserver, s6-tcpserver */
    { "TCPREMOTEIP", "", RUNWIRE_REMOTE_IP },
    { "TCPREMOTEPORT", "", RUNWIRE_REMOTE_PORT },
    { "TCPLOCALIP", "", RUNWIRE_LOCAL_IP },
    { "TCPLOCALPORT", "", RUNWIRE_LOCAL_PORT },
    /* s6-tlsd */
    { "SSL_PROTOCOL", "TLSv", RUNWIRE_TLS },
    { "SSL_CIPHER", "", RUNWIRE_CIPHER },
    { "SSL_TLS_SNI_SERVERNAME", "", RUNWIRE_SNI },
    { "SSL_PEER_CERT_HASH", "SHA256:", RUNWIRE_SHA256 },
    { "SSL_PEER_CERT_SUBJECT", "", RUNWIRE_SUBJECT },
    /* stunnel */
    { "REMOTE_HOST", "", RUNWIRE_REMOTE_IP },
    { "REMOTE_PORT", "", RUNWIRE_REMOTE_PORT },
    { "SSL_CLIENT_DN", "", RUNWIRE_SUBJECT },
    { "SSL_CLIENT_I_DN", "", RUNWIRE_ISSUER },
    /* ours */
    { "MTLSD_TLS", "", RUNWIRE_TLS },
    { "MTLSD_CIPHER", "", RUNWIRE_CIPHER },
    { "MTLSD_GROUP", "", RUNWIRE_GROUP },
    { "MTLSD_ALPN", "", RUNWIRE_ALPN },
    { "MTLSD_SNI", "", RUNWIRE_SNI },
    { "MTLSD_SUBJECT", "", RUNWIRE_SUBJECT },
    { "MTLSD_ISSUER", "", RUNWIRE_ISSUER },
    { "MTLSD_CN", "", RUNWIRE_CN },
    { "MTLSD_SERIAL", "", RUNWIRE_SERIAL },
    { "MTLSD_SANS", "", RUNWIRE_SANS },
    { "MTLSD_SHA256", "", RUNWIRE_SHA256 },
    { "MTLSD_NOT_AFTER", "", RUNWIRE_NOT_AFTER },
};
#define ROWS (sizeof(table) / sizeof(table[0]))

/* with PATH, PROTO, MTLSD_SERVICE and NULL */
_Static_assert(ROWS + 4 <= RUNNER_ENV_MAX, "RUNNER_ENV_MAX");

/* add - NAME=before value; one that has no room is left out */
static void
add(struct runner_env *env, size_t *count, const char *name, const char *before,
    const char *value, size_t len)
{
    char *at = env->text + env->used;
    size_t room = sizeof(env->text) - env->used;
    const char *guard = before[0] == '\0' && value[0] == '(' ? "\\x28" : "";
    int n =
        snprintf(at, room, "%s=%s%s%.*s", name, before, guard,
                 (int)(len - (guard[0] != '\0')), value + (guard[0] != '\0'));

    if (n < 0 || (size_t)n >= room)
        return;
    env->item[(*count)++] = at;
    env->used += (size_t)n + 1;
}

void
runner_env_make(const char *service, const struct runwire_request *run,
                struct runner_env *out)
{
    static char path[] = PATH;
    const char *value, *proto;
    size_t count = 0, len;

    out->used = 0;
    out->item[count++] = path;
    (void)runwire_get(run, RUNWIRE_REMOTE_IP, &len);
    proto = len > 0 ? "TCP" : "UNIX";
    add(out, &count, "PROTO", "", proto, strlen(proto));
    add(out, &count, "MTLSD_SERVICE", "", service, strlen(service));
    for (size_t i = 0; i < ROWS; i++) {
        value = runwire_get(run, table[i].field, &len);
        if (len > 0)
            add(out, &count, table[i].name, table[i].before, value, len);
    }
    out->item[count] = NULL;
}
