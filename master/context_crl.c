/*
 * context_crl.c - revocation lists, read and believed once per generation
 *
 * Owns which lists a worker may look into: each is parsed whole, and its
 * signature verified here when its authority is one of our anchors. The library's
 * own machinery is not used: it drops expired lists, calls every other flaw by
 * the same word, and brings a fetcher.
 */
#include "common/mem.h"
#include "common/x509_signed.h"
#include "common/x509_text.h"
#include "master/context_build.h"
#include "master/crlfile.h"

#include <stdlib.h>
#include <string.h>

#define CLOCK_SKEW 300 /* seconds that an authority's clock may be ahead */

/* one file */
struct lists {
    const struct build *build;
    const char *path;
    struct crlfile file;
};

/* name_of - a list for sentences: "revocation list 2 (CN=x)" */
static const char *
name_of(const struct lists *lists, size_t i, char *out)
{
    char issuer[CONTEXT_NAME_MAX - 40];

    (void)x509_dn_text(lists->file.crl[i].issuer, issuer, sizeof(issuer));
    (void)snprintf(out, CONTEXT_NAME_MAX, "revocation list %zu (%s)", i + 1,
                   issuer);
    return out;
}

static enum err
flaw(const struct lists *lists, size_t i, const char *sentence)
{
    char name[CONTEXT_NAME_MAX];

    return why_set(lists->build->why, ERR_FILE, "%scrl = %s: %s %s",
                   lists->build->prefix, lists->path, name_of(lists, i, name),
                   sentence);
}

/* find_signer - *signer: the anchor that made the list, NULL: its authority is
 * none of ours. An error: one of ours is named, and did not. */
static enum err
find_signer(const struct lists *lists, size_t i,
            const struct tls_anchor **signer)
{
    const struct x509_crl *crl = &lists->file.crl[i];
    const struct tls_anchor *anchor;
    bool allowed = false;
    size_t count;

    *signer = NULL;
    anchor = tls_side_anchors(lists->build->side, crl->issuer, &count);
    if (anchor == NULL)
        return ERR_OK;
    for (; count > 0; anchor++, count--) {
        if (!anchor->crl_sign)
            continue;
        allowed = true;
        if (x509_crl_signed(crl, anchor->spki)) {
            *signer = anchor;
            return ERR_OK;
        }
    }
    return flaw(lists, i,
                allowed ? "is not signed by the CA of that name (crl_bad)"
                        : "is issued by a CA whose key usage does not allow "
                          "cRLSign (crl_bad)");
}

/* tell_dates - warnings about lists that end */
static void
tell_dates(const struct lists *lists, size_t i)
{
    const struct build *build = lists->build;
    const struct x509_crl *crl = &lists->file.crl[i];
    char name[CONTEXT_NAME_MAX], date[CERTFILE_DATE_MAX];

    (void)certfile_date(crl->next_update, date);
    if (crl->next_update < build->now)
        build_warn(build, "%scrl = %s: %s expired %s: %s", build->prefix,
                   lists->path, name_of(lists, i, name), date,
                   build->conf->crl_missing == CONF_CRL_ADMIT
                       ? "only what it lists is refused"
                       : "its certificates are refused");
    else if (build_late(build, crl->this_update, crl->next_update))
        build_warn(build, "%scrl = %s: %s expires %s", build->prefix,
                   lists->path, name_of(lists, i, name), date);
}

/* add - our own copy, sorted */
static void
add(const struct lists *lists, size_t i, const struct tls_anchor *signer)
{
    const struct x509_crl *crl = &lists->file.crl[i];
    struct tls_side *side = lists->build->side;
    struct tls_crl *to;

    side->crl = mem_array(side->crl, side->crl_count + 1, sizeof(*side->crl));
    to = &side->crl[side->crl_count++];
    memset(to, 0, sizeof(*to));
    to->signer = signer;
    to->der_len = crl->der.len;
    to->der = mem_new(crl->der.len);
    memcpy(to->der, crl->der.at, crl->der.len);
    (void)x509_crl_parse(to->der, to->der_len, &to->crl); /* as before */
    x509_crl_sort(&to->crl,
                  mem_array(NULL, to->crl.count, sizeof(*to->crl.serial)));
    if (side->crl_next_update == 0 || crl->next_update < side->crl_next_update)
        side->crl_next_update = crl->next_update;
}

static enum err
add_list(const struct lists *lists, size_t i)
{
    const struct build *build = lists->build;
    const struct tls_anchor *signer;
    char name[CONTEXT_NAME_MAX];
    enum err err;

    if (lists->file.crl[i].this_update > build->now + CLOCK_SKEW)
        return flaw(lists, i, "is not valid yet (thisUpdate)");
    if ((err = find_signer(lists, i, &signer)) != ERR_OK)
        return err;
    if (signer == NULL && build->conf->crl_missing == CONF_CRL_ADMIT)
        build_warn(build,
                   "%scrl = %s: %s is by none of the CAs in %sca: it counts "
                   "only when its issuer comes with a chain",
                   build->prefix, lists->path, name_of(lists, i, name),
                   build->prefix);
    tell_dates(lists, i);
    add(lists, i, signer);
    return ERR_OK;
}

static enum err
build_file(const struct build *build, const struct blob *blob)
{
    struct lists lists = { .build = build, .path = blob->path };
    enum err err;
    size_t i;

    err = crlfile_read(blob, build->upstream ? "upstream_crl" : "crl",
                       &lists.file, build->why);
    if (err != ERR_OK)
        return err;
    for (i = 0; i < lists.file.count && err == ERR_OK; i++)
        err = add_list(&lists, i);
    crlfile_free(&lists.file);
    return err;
}

enum err
build_crls(const struct build *build, const struct blob *blob, size_t count)
{
    struct tls_side *side = build->side;
    enum err err;
    size_t i;

    side->crl_checked = count > 0;
    for (i = 0; i < count; i++)
        if ((err = build_file(build, &blob[i])) != ERR_OK)
            return err;
    tls_side_sort_crls(side);
    return ERR_OK;
}
