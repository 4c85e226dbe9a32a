/*
 * generation.c - everything built from one reading of configuration and files
 *
 * Owns the order: certificates and contexts, keys to the keepers, the proof
 * that each key belongs to a certificate and each certificate has its key.
 * Never touches the running generation.
 */
#include "master/generation.h"
#include "common/mem.h"
#include "master/context.h"
#include "master/keeper.h"
#include "master/keyring.h"
#include "master/sides.h"
#include <stdlib.h>
#include <unistd.h>

/* one signature for each handshake, towards client and upstream; a worker serves
 * max_use connections */
#define SIGNATURES_PER_USE 4

/* budget - signatures in a worker's life. One http connection may need any number
 * of upstreams, so that only the rate holds there (keeper.h). */
static uint32_t
budget(const struct conf_service *service)
{
    if (service->protocol == CONF_PROTOCOL_HTTP)
        return 0;
    return SIGNATURES_PER_USE * (uint32_t)service->max_use;
}

/* the keys of a configuration, on their way to the keepers */
struct keys {
    size_t count, opened;
    struct keeper_key *key;
};

static size_t
count_keys(const struct conf *conf)
{
    size_t count = 0, i, j;

    for (i = 0; i < conf->service_count; i++) {
        count += conf->service[i].client.key.count;
        for (j = 0; j < conf->service[i].route_count; j++)
            count += conf->service[i].route[j].side.key.count;
    }
    return count;
}

/* add_key - one row; the file is opened later */
static void
add_key(struct keys *keys, const struct conf *conf, size_t service,
        enum keywire_side side, size_t index, const char *path)
{
    struct keeper_key *key = &keys->key[keys->count++];

    key->service = (uint16_t)service;
    key->side = (uint8_t)side;
    key->index = (uint8_t)index;
    key->path = path;
    key->name = conf->service[service].name;
    key->budget = budget(&conf->service[service]);
}

static void
list_keys(const struct conf *conf, struct keys *keys)
{
    size_t i, j;

    for (i = 0; i < conf->service_count; i++) {
        const struct conf_service *service = &conf->service[i];

        for (j = 0; j < service->client.key.count; j++)
            add_key(keys, conf, i, KEYWIRE_CLIENT_SIDE, j,
                    service->client.key.item[j]);
        for (j = 0; j < service->route_count; j++)
            if (service->route[j].side.key.count > 0)
                add_key(keys, conf, i, KEYWIRE_UPSTREAM_SIDE, j,
                        service->route[j].side.key.item[0]);
    }
}

/* route_of - the route whose upstream side a key is for, NULL: the client side */
static const struct conf_route *
route_of(const struct conf *conf, const struct keeper_key *key)
{
    return key->side == KEYWIRE_CLIENT_SIDE
               ? NULL
               : &conf->service[key->service].route[key->index];
}

/* about - say which section a sentence about a key is for */
static enum err
about(const struct conf *conf, const struct keeper_key *key, enum err err,
      struct why *why)
{
    return sides_placed(&conf->service[key->service], route_of(conf, key), err,
                        why);
}

static enum err
open_keys(const struct conf *conf, struct keys *keys, struct why *why)
{
    enum err err = ERR_OK;

    for (keys->opened = 0; err == ERR_OK && keys->opened < keys->count;) {
        struct keeper_key *key = &keys->key[keys->opened];

        err = about(conf, key, keyring_open_key(key->path, &key->fd, why), why);
        keys->opened += err == ERR_OK;
    }
    return err;
}

/* stranger - a key without a certificate */
static enum err
stranger(const struct conf *conf, const struct keeper_key *key, struct why *why)
{
    const struct conf_route *route = route_of(conf, key);
    const struct conf_tls *side =
        route != NULL ? &route->side : &conf->service[key->service].client;

    if (side->cert.count == 0)
        return why_set(why, ERR_FILE, "key %s has no certificate beside it",
                       key->path);
    return why_set(why, ERR_FILE,
                   "key %s does not belong to %s %s: their public keys differ",
                   key->path,
                   side->cert.count == 1 ? "the certificate in"
                                         : "any certificate, not even that in",
                   side->cert.item[0]);
}

/* pair - give the certificate of this side that has the key's public half the
 * key's number */
static enum err
pair(const struct generation *gen, const struct keeper_key *key,
     const uint8_t *der, size_t len, struct why *why)
{
    const struct generation_sides *sides = &gen->sides[key->service];
    struct tls_side *side = key->side == KEYWIRE_CLIENT_SIDE
                                ? sides->client
                                : sides->upstream[key->index];
    int cert = side != NULL ? context_cert_of(side, der, len) : -1;

    if (cert < 0)
        return about(gen->conf, key, stranger(gen->conf, key, why), why);
    side->cert[cert].key = key->index;
    side->cert[cert].paired = true;
    return ERR_OK;
}

/* keyless - a certificate that no key was found for */
static enum err
keyless(const struct tls_side *side, struct why *why)
{
    size_t i;

    for (i = 0; side != NULL && i < side->cert_count; i++)
        if (!side->cert[i].paired)
            return why_set(why, ERR_FILE, "no key for the certificate of %s",
                           side->cert[i].subject);
    return ERR_OK;
}

static enum err
match(const struct generation *gen, const struct keys *keys, struct why *why)
{
    const struct conf *conf = gen->conf;
    const uint8_t *der;
    enum err err = ERR_OK;
    size_t len, i, j;

    for (i = 0; err == ERR_OK && i < keys->count; i++) {
        keepers_public(gen->keepers, i, &der, &len);
        err = pair(gen, &keys->key[i], der, len, why);
    }
    for (i = 0; err == ERR_OK && i < conf->service_count; i++) {
        const struct conf_service *service = &conf->service[i];

        err = sides_placed(service, NULL, keyless(gen->sides[i].client, why),
                           why);
        for (j = 0; err == ERR_OK && j < service->route_count; j++)
            err = sides_placed(service, &service->route[j],
                               keyless(gen->sides[i].upstream[j], why), why);
    }
    return err;
}

static size_t
keeper_count(const struct conf *conf)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (conf->global.keepers > 0)
        return (size_t)conf->global.keepers;
    return cpus > 0 ? (size_t)cpus : 1;
}

/* add_keepers - a configuration without keys has none */
static enum err
add_keepers(struct generation *gen, const struct jail *jail, int charges,
            struct why *why)
{
    size_t count = count_keys(gen->conf), i;
    struct keys keys = { .key = mem_new((count + 1) * sizeof(*keys.key)) };
    enum err err;

    list_keys(gen->conf, &keys);
    err = open_keys(gen->conf, &keys, why);
    if (err == ERR_OK && keys.count > 0)
        err = keepers_start(keeper_count(gen->conf), keys.key, keys.count, jail,
                            charges, &gen->keepers, why);
    for (i = 0; i < keys.opened; i++)
        close(keys.key[i].fd);
    if (err == ERR_OK)
        err = match(gen, &keys, why);
    free(keys.key);
    return err;
}

static enum err
add_sides(struct generation *gen, struct why *why)
{
    enum err err = ERR_OK;
    size_t i;

    gen->sides = mem_new(gen->conf->service_count * sizeof(*gen->sides));
    for (i = 0; err == ERR_OK && i < gen->conf->service_count; i++)
        err = sides_build(&gen->conf->service[i], &gen->sides[i], why);
    return err;
}

/* release - all but the configuration */
static void
release(struct generation *gen)
{
    size_t i;

    if (gen->keepers != NULL)
        keepers_free(gen->keepers);
    for (i = 0; gen->sides != NULL && i < gen->conf->service_count; i++)
        sides_free(&gen->conf->service[i], &gen->sides[i]);
    free(gen->sides);
    free(gen);
}

enum err
generation_build(unsigned number, struct conf *conf, const struct jail *jail,
                 int charges, struct generation **out, struct why *why)
{
    struct generation *gen = mem_new(sizeof(*gen));
    enum err err;

    gen->number = number;
    gen->conf = conf;
    err = add_sides(gen, why);
    if (err == ERR_OK)
        err = add_keepers(gen, jail, charges, why);
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
