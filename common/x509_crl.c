/*
 * x509_crl.c - read a revocation list's DER without believing it
 *
 * Owns which lists are understood: full ones, by the authority that issued the
 * certificates themselves. Everything that would make a list say less than it
 * seems to is refused, never stepped over (RFC 5280 5.2, 5.3, 6.3). Allocates
 * nothing; sorting writes into the caller's memory.
 */
#include "common/x509_crl.h"

#include <stdlib.h>
#include <string.h>

#define BROKEN      "is no certificate revocation list that can be understood"
#define SERIAL_MAX  127 /* one byte of length; RFC 5280 allows 20 bytes */
#define REVOKED_MAX (64u << 20)

/* extension_flaw - of the whole list; NULL: it may stand there */
static const char *
extension_flaw(struct span oid, bool critical, struct span value,
               struct x509_crl *out)
{
    if (DER_IS(oid, "\x55\x1d\x23")) /* authorityKeyIdentifier */
        return x509_aki_read(value, &out->aki) ? NULL : BROKEN;
    if (DER_IS(oid, "\x55\x1d\x1b"))
        return "is a delta list; a full one is needed";
    if (DER_IS(oid, "\x55\x1d\x1c"))
        return "is an indirect list, or speaks for some certificates only "
               "(issuing distribution point); a full one by the authority "
               "itself is needed";
    return critical ? "has a critical extension that is not known" : NULL;
}

/* entry_extension_flaw - of one entry */
static const char *
entry_extension_flaw(struct span oid, bool critical)
{
    if (DER_IS(oid, "\x55\x1d\x1d"))
        return "is an indirect list (certificate issuer); one by the "
               "authority itself is needed";
    return critical ? "has an entry with a critical extension that is not known"
                    : NULL;
}

static const char *
entry_extensions(struct span list)
{
    struct span oid, value;
    const char *flaw;
    bool critical;

    while (list.len > 0) {
        if (!der_extension(&list, &oid, &critical, &value))
            return BROKEN;
        if ((flaw = entry_extension_flaw(oid, critical)) != NULL)
            return flaw;
    }
    return NULL;
}

/* entry_read - one revoked certificate */
static const char *
entry_read(struct span *list, bool version2)
{
    struct span entry, serial, extensions;
    time_t when;
    bool there;

    if (!der_take(list, TAG_SEQUENCE, &entry, NULL) ||
        !der_take(&entry, TAG_INTEGER, &serial, NULL) || serial.len == 0 ||
        serial.len > SERIAL_MAX || !der_time(&entry, &when) ||
        !der_maybe(&entry, TAG_SEQUENCE, &extensions, &there) ||
        entry.len != 0 || (there && !version2))
        return BROKEN;
    return there ? entry_extensions(extensions) : NULL;
}

static const char *
revoked_read(struct span *tbs, bool version2, struct x509_crl *out)
{
    struct span rest;
    const char *flaw;
    bool there;

    if (!der_maybe(tbs, TAG_SEQUENCE, &out->revoked, &there) ||
        out->revoked.len > REVOKED_MAX)
        return BROKEN;
    for (rest = out->revoked; rest.len > 0; out->count++)
        if ((flaw = entry_read(&rest, version2)) != NULL)
            return flaw;
    return NULL;
}

static const char *
extensions_read(struct span *tbs, bool version2, struct x509_crl *out)
{
    struct span tagged, list, oid, value;
    const char *flaw;
    bool there, critical;

    if (!der_maybe(tbs, TAG_CONTEXT_0, &tagged, &there) || tbs->len != 0 ||
        (there && !version2))
        return BROKEN;
    if (!there)
        return NULL;
    if (!der_take(&tagged, TAG_SEQUENCE, &list, NULL) || tagged.len != 0)
        return BROKEN;
    while (list.len > 0) {
        if (!der_extension(&list, &oid, &critical, &value))
            return BROKEN;
        if ((flaw = extension_flaw(oid, critical, value, out)) != NULL)
            return flaw;
    }
    return NULL;
}

/* next_read - the promise when the next list comes; without one nobody could
 * tell an old list from a good one */
static const char *
next_read(struct span *tbs, struct x509_crl *out)
{
    if (tbs->len == 0 ||
        (tbs->at[0] != TAG_UTC_TIME && tbs->at[0] != TAG_GENERALIZED_TIME))
        return "does not say when the next one comes (nextUpdate)";
    return der_time(tbs, &out->next_update) ? NULL : BROKEN;
}

static const char *
tbs_read(struct span tbs, struct x509_crl *out, struct span *algorithm)
{
    struct span version;
    const char *flaw;
    bool version2;

    if (!der_maybe(&tbs, TAG_INTEGER, &version, &version2) ||
        (version2 && (version.len != 1 || version.at[0] != 1)) ||
        !der_take(&tbs, TAG_SEQUENCE, algorithm, NULL) ||
        !der_take(&tbs, TAG_SEQUENCE, NULL, &out->issuer) ||
        !der_time(&tbs, &out->this_update))
        return BROKEN;
    if ((flaw = next_read(&tbs, out)) != NULL ||
        (flaw = revoked_read(&tbs, version2, out)) != NULL)
        return flaw;
    return extensions_read(&tbs, version2, out);
}

const char *
x509_crl_parse(const uint8_t *der, size_t len, struct x509_crl *out)
{
    struct span rest = { der, len }, all, tbs, inner, bits;
    const char *flaw;

    memset(out, 0, sizeof(*out));
    if (der == NULL || !der_take(&rest, TAG_SEQUENCE, &all, &out->der) ||
        rest.len != 0 || !der_take(&all, TAG_SEQUENCE, &tbs, &out->tbs) ||
        !der_take(&all, TAG_SEQUENCE, &out->algorithm, NULL) ||
        !der_take(&all, TAG_BIT_STRING, &bits, NULL) || all.len != 0 ||
        bits.len < 2 || bits.at[0] != 0)
        return BROKEN;
    if ((flaw = tbs_read(tbs, out, &inner)) != NULL)
        return flaw;
    if (!span_equal(inner, out->algorithm))
        return BROKEN;
    out->signature = (struct span){ bits.at + 1, bits.len - 1 };
    out->sig = x509_sig_read(inner);
    return NULL;
}

/* bare - without leading zeros: not every issuer writes a serial the same way
 * into certificate and list */
static struct span
bare(struct span serial)
{
    while (serial.len > 0 && serial.at[0] == 0) {
        serial.at++;
        serial.len--;
    }
    return serial;
}

/* serial_at - the INTEGER at an offset that x509_crl_sort made */
static struct span
serial_at(const uint8_t *revoked, uint32_t offset)
{
    return bare((struct span){ revoked + offset + 2, revoked[offset + 1] });
}

static int
serial_order(struct span a, struct span b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len == 0 ? 0 : memcmp(a.at, b.at, a.len);
}

static int
offset_order(const void *a, const void *b, void *revoked)
{
    return serial_order(serial_at(revoked, *(const uint32_t *)a),
                        serial_at(revoked, *(const uint32_t *)b));
}

void
x509_crl_sort(struct x509_crl *crl, uint32_t *offset)
{
    struct span rest = crl->revoked, entry = { 0 };
    size_t i;

    for (i = 0; i < crl->count; i++) {
        (void)der_take(&rest, TAG_SEQUENCE, &entry, NULL);
        offset[i] = (uint32_t)(entry.at - crl->revoked.at);
    }
    if (crl->count > 0)
        qsort_r(offset, crl->count, sizeof(*offset), offset_order,
                (void *)(uintptr_t)crl->revoked.at);
    crl->serial = offset;
}

bool
x509_crl_lists(const struct x509_crl *crl, struct span serial)
{
    size_t low = 0, high = crl->count, middle;
    int order;

    serial = bare(serial);
    while (low < high) {
        middle = low + (high - low) / 2;
        order = serial_order(serial,
                             serial_at(crl->revoked.at, crl->serial[middle]));
        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}
