/*
 * sides.c - from a service's files to its TLS material
 *
 * Owns the reading of certificate, CA and CRL files for a generation: each is
 * read once, checked and forgotten. Never opens a key.
 */
#include "master/sides.h"
#include "common/log.h"
#include "common/mem.h"
#include "master/context.h"
#include "master/generation.h"
#include "master/keyring.h"
#include <stdlib.h>

/* the bytes of one side's files */
struct bytes {
    struct context_files files;
    struct blob *cert, *ca, *crl;
};

static enum err
read_list(const struct conf_list *list, struct blob **out, size_t *count,
          struct why *why)
{
    enum err err = ERR_OK;

    *out = mem_new((list->count + 1) * sizeof(**out));
    for (*count = 0; err == ERR_OK && *count < list->count; ++*count)
        err = keyring_read(list->item[*count], &(*out)[*count], why);
    return err;
}

static enum err
bytes_read(const struct conf_tls *conf, struct bytes *out, struct why *why)
{
    enum err err;

    err = read_list(&conf->cert, &out->cert, &out->files.cert_count, why);
    if (err == ERR_OK)
        err = read_list(&conf->crl, &out->crl, &out->files.crl_count, why);
    out->files.cert = out->cert;
    out->files.crl = out->crl;
    if (err != ERR_OK || conf->ca == NULL)
        return err;
    out->files.ca = out->ca = mem_new(sizeof(*out->ca));
    return keyring_read(conf->ca, out->ca, why);
}

static void
bytes_free(struct bytes *bytes)
{
    size_t i;

    for (i = 0; bytes->cert != NULL && i < bytes->files.cert_count; i++)
        keyring_free(&bytes->cert[i]);
    for (i = 0; bytes->crl != NULL && i < bytes->files.crl_count; i++)
        keyring_free(&bytes->crl[i]);
    if (bytes->ca != NULL)
        keyring_free(bytes->ca);
    free(bytes->cert);
    free(bytes->crl);
    free(bytes->ca);
}

/* warn - a sentence about a file that is used all the same */
static void
warn(void *ctx, const char *text)
{
    const struct conf_service *service = ctx;
    struct log_line line;

    log_begin(&line, LOG_L_WARN, "certificate");
    log_text(&line, "service", service->name);
    log_text(&line, "reason", text);
    log_send(&line);
}

static enum err
client_side(const struct conf_service *service, struct tls_side **out,
            struct why *why)
{
    struct bytes bytes = { 0 };
    enum err err = bytes_read(&service->client, &bytes, why);

    if (err == ERR_OK)
        err = context_server(service, &bytes.files, warn, (void *)service, out,
                             why);
    bytes_free(&bytes);
    return err;
}

static enum err
upstream_side(const struct conf_service *service,
              const struct conf_route *route, struct tls_side **out,
              struct why *why)
{
    struct bytes bytes = { 0 };
    enum err err = bytes_read(&route->side, &bytes, why);

    if (err == ERR_OK)
        err = context_client(route, &bytes.files, warn, (void *)service, out,
                             why);
    bytes_free(&bytes);
    return err;
}

enum err
sides_placed(const struct conf_service *service, const struct conf_route *route,
             enum err err, struct why *why)
{
    struct why inner;

    if (err == ERR_OK)
        return err;
    inner = *why;
    if (route != NULL && route->name[0] != '\0')
        return why_set(why, err, "[route %s]: %s", route->name, inner.text);
    return why_set(why, err, "[service %s]: %s", service->name, inner.text);
}

enum err
sides_build(const struct conf_service *service, struct generation_sides *out,
            struct why *why)
{
    enum err err = ERR_OK;
    size_t i;

    out->upstream = mem_new(service->route_count * sizeof(*out->upstream));
    if (service->listen_tls)
        err = sides_placed(service, NULL,
                           client_side(service, &out->client, why), why);
    for (i = 0; err == ERR_OK && i < service->route_count; i++)
        if (service->route[i].tls)
            err = sides_placed(service, &service->route[i],
                               upstream_side(service, &service->route[i],
                                             &out->upstream[i], why),
                               why);
    if (err != ERR_OK)
        sides_free(service, out);
    return err;
}

void
sides_free(const struct conf_service *service, struct generation_sides *sides)
{
    size_t i;

    context_free(sides->client);
    for (i = 0; sides->upstream != NULL && i < service->route_count; i++)
        context_free(sides->upstream[i]);
    free(sides->upstream);
    sides->client = NULL;
    sides->upstream = NULL;
}
