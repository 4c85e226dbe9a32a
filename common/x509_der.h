/* x509_der.h - DER, element by element; pure */
#ifndef COMMON_X509_DER_H
#define COMMON_X509_DER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* a piece of somebody else's bytes; at may be NULL when len is 0 */
struct span {
    const uint8_t *at;
    size_t len;
};

bool span_equal(struct span a, struct span b);

enum der_tag {
    TAG_BOOLEAN = 0x01,
    TAG_INTEGER = 0x02,
    TAG_BIT_STRING = 0x03,
    TAG_OCTET_STRING = 0x04,
    TAG_NULL = 0x05,
    TAG_OID = 0x06,
    TAG_ENUMERATED = 0x0a,
    TAG_UTC_TIME = 0x17,
    TAG_GENERALIZED_TIME = 0x18,
    TAG_SEQUENCE = 0x30,
    TAG_SET = 0x31,
    TAG_PRIMITIVE_0 = 0x80,
    TAG_PRIMITIVE_1 = 0x81,
    TAG_PRIMITIVE_2 = 0x82,
    TAG_CONTEXT_0 = 0xa0,
    TAG_CONTEXT_1 = 0xa1,
    TAG_CONTEXT_3 = 0xa3,
};

/* der_next - take one element off rest: its tag, its content, and the whole of
 * it; content and whole may be NULL. Lengths are minimal and definite. False at
 * the end and on broken bytes. */
bool der_next(struct span *rest, unsigned *tag, struct span *content,
              struct span *whole);

/* der_take - the next element, which must have this tag */
bool der_take(struct span *rest, unsigned want, struct span *content,
              struct span *whole);

/* der_maybe - the same, or nothing; false only when it is there and broken */
bool der_maybe(struct span *rest, unsigned want, struct span *content,
               bool *there);

/* der_time - UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 has them: with
 * seconds, in Z */
bool der_time(struct span *rest, time_t *out);

/* DER_IS - is this the content of that OID, given as a string of its bytes? */
bool der_is(struct span oid, const char *bytes, size_t len);
#define DER_IS(oid, text) der_is(oid, text, sizeof(text) - 1)

/* der_extension - take one Extension off a list: its OID, whether it is
 * critical, and what stands in its OCTET STRING */
bool der_extension(struct span *list, struct span *oid, bool *critical,
                   struct span *value);
#endif
