/*
 * generation.c - everything built from one reading of configuration and files
 *
 * Owns the order: certificates and contexts, keys to the keepers, the proof
 * that each pair matches. Never touches the running generation.
 */
#include "master/generation.h"
#include "common/log.h"
#include "common/mem.h"
#include "master/context.h"
#include "master/keeper.h"
#include "master/keyring.h"

#include <stdlib.h>
#include <unistd.h>

/* a server signs once for each handshake; a worker serves max_use of them */
#define SIGNATURES_PER_USE 4

/* say - a warning that goes with a service */
static void
say(void *ctx, const char *text)
{
    const struct conf_service *service = ctx;
    struct log_line line;

    log_begin(&line, LOG_L_WARN, "certificate");
    log_text(&line, "service", service->name);
    log_text(&line, "reason", text);
    log_send(&line);
}

/* named - put the service in front of a sentence */
static enum err
named(const struct conf_service *service, enum err err, struct why *why)
{
    struct why inner;

    if (err != ERR_OK) {
        inner = *why;
        why_set(why, err, "[service %s]: %s", service->name, inner.text);
    }
    return err;
}

/* add_context - read a service's files, build its context */
static enum err
add_context(struct conf_service *service, struct context **out, struct why *why)
{
    struct blob cert = { 0 }, ca = { 0 };
    enum err err;

    err = keyring_read(service->cert, &cert, why);
    if (err == ERR_OK && service->ca != NULL)
        err = keyring_read(service->ca, &ca, why);
    if (err == ERR_OK)
        err = context_server(service, &cert, service->ca ? &ca : NULL, say,
                             service, out, why);
    keyring_free(&cert);
    keyring_free(&ca);
    return named(service, err, why);
}

static enum err
add_contexts(struct generation *gen, struct why *why)
{
    size_t i;
    enum err err = ERR_OK;

    gen->context = mem_new(gen->conf->service_count * sizeof(*gen->context));
    for (i = 0; err == ERR_OK && i < gen->conf->service_count; i++)
        err = add_context(&gen->conf->service[i], &gen->context[i], why);
    return err;
}

/* open_keys - one descriptor per service; closes them again on failure */
static enum err
open_keys(const struct conf *conf, struct keeper_key *keys, size_t *opened,
          struct why *why)
{
    enum err err = ERR_OK;
    size_t i;

    for (i = 0; err == ERR_OK && i < conf->service_count; i++) {
        const struct conf_service *service = &conf->service[i];

        keys[i].service = (uint16_t)i;
        keys[i].side = KEYWIRE_CLIENT_SIDE;
        keys[i].path = service->key;
        keys[i].name = service->name;
        keys[i].budget = SIGNATURES_PER_USE * (uint32_t)service->max_use;
        err = named(service, keyring_open_key(service->key, &keys[i].fd, why),
                    why);
        if (err == ERR_OK)
            ++*opened;
    }
    return err;
}

/* match - does each certificate belong to the key that the keeper holds? */
static enum err
match(const struct generation *gen, struct why *why)
{
    const uint8_t *der;
    size_t len, i;

    for (i = 0; i < gen->conf->service_count; i++) {
        const struct conf_service *service = &gen->conf->service[i];

        keepers_public(gen->keepers, i, &der, &len);
        if (!context_spki_is(gen->context[i], der, len))
            return why_set(why, ERR_FILE,
                           "[service %s]: key %s does not belong to the "
                           "certificate in %s",
                           service->name, service->key, service->cert);
    }
    return ERR_OK;
}

static size_t
keeper_count(const struct conf *conf)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (conf->global.keepers > 0)
        return (size_t)conf->global.keepers;
    return cpus > 0 ? (size_t)cpus : 1;
}

static enum err
add_keepers(struct generation *gen, const struct jail *jail, struct why *why)
{
    size_t count = gen->conf->service_count, opened = 0, i;
    struct keeper_key *keys = mem_new(count * sizeof(*keys));
    enum err err;

    err = open_keys(gen->conf, keys, &opened, why);
    if (err == ERR_OK)
        err = keepers_start(keeper_count(gen->conf), keys, count, jail,
                            &gen->keepers, why);
    for (i = 0; i < opened; i++)
        close(keys[i].fd);
    free(keys);
    return err == ERR_OK ? match(gen, why) : err;
}

/* release - all but the configuration */
static void
release(struct generation *gen)
{
    size_t i;

    if (gen->keepers != NULL)
        keepers_free(gen->keepers);
    for (i = 0; gen->context != NULL && i < gen->conf->service_count; i++)
        context_free(gen->context[i]);
    free(gen->context);
    free(gen);
}

enum err
generation_build(unsigned number, struct conf *conf, const struct jail *jail,
                 struct generation **out, struct why *why)
{
    struct generation *gen = mem_new(sizeof(*gen));
    enum err err;

    gen->number = number;
    gen->conf = conf;
    err = add_contexts(gen, why);
    if (err == ERR_OK)
        err = add_keepers(gen, jail, why);
    if (err == ERR_OK)
        *out = gen;
    else
        release(gen); /* the configuration is still the caller's */
    return err;
}

void
generation_free(struct generation *gen)
{
    struct conf *conf;

    if (gen == NULL)
        return;
    conf = gen->keep_conf ? NULL : gen->conf;
    release(gen);
    conf_free(conf);
}
