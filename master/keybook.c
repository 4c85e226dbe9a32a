/*
 * keybook.c - the keeper's table: service, side, index -> key
 *
 * Owns the decision whether a request is answered. The service comes from the
 * pair, never from the packet. No input or output but reading the key files.
 */
#include "master/keybook.h"
#include "common/mem.h"
#include "master/keyfile.h"
#include <stdlib.h>
#include <sys/stat.h>

struct entry {
    const struct keeper_key *from;
    struct keyfile *key;
    dev_t dev;
    ino_t ino;
    bool owner; /* the first entry of a file holds its key, the others borrow */
};

struct keybook {
    size_t count;
    const struct entry **sorted; /* by service, side, index */
    struct entry entry[];        /* in the caller's order */
};

/* identify - which file? One that cannot be asked counts as its own. */
static void
identify(struct entry *entry, const struct keeper_key *from)
{
    struct stat st;

    *entry = (struct entry){ .from = from };
    if (fstat(from->fd, &st) == 0) {
        entry->dev = st.st_dev;
        entry->ino = st.st_ino;
    }
}

/* first_of - the entry that holds the same file, or the entry itself */
static struct entry *
first_of(struct entry *entries, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (entries[j].ino != 0 && entries[j].ino == entries[i].ino &&
            entries[j].dev == entries[i].dev)
            return &entries[j];
    return &entries[i];
}

size_t
keybook_files(const struct keeper_key *keys, size_t count)
{
    struct entry *entries = mem_new((count + 1) * sizeof(*entries));
    size_t files = 0;

    for (size_t i = 0; i < count; i++) {
        identify(&entries[i], &keys[i]);
        files += first_of(entries, i) == &entries[i];
    }
    free(entries);
    return files;
}

static int
compare(const struct keeper_key *a, uint16_t service, uint8_t side,
        uint8_t index)
{
    if (a->service != service)
        return a->service < service ? -1 : 1;
    if (a->side != side)
        return a->side < side ? -1 : 1;
    return (a->index > index) - (a->index < index);
}

static int
compare_entries(const void *a, const void *b)
{
    const struct keeper_key *x = (*(const struct entry *const *)a)->from;
    const struct keeper_key *y = (*(const struct entry *const *)b)->from;

    return compare(x, y->service, y->side, y->index);
}

static enum err
load_entry(struct keybook *book, size_t i, struct why *why)
{
    struct entry *entry = &book->entry[i];
    struct entry *first = first_of(book->entry, i);

    if (first != entry) {
        entry->key = first->key;
        return ERR_OK;
    }
    entry->owner = true;
    return keyfile_read(entry->from->fd, entry->from->path, &entry->key, why);
}

enum err
keybook_load(const struct keeper_key *keys, size_t count, struct keybook **out,
             struct why *why)
{
    struct keybook *book =
        mem_new(sizeof(*book) + count * sizeof(book->entry[0]));
    enum err err = ERR_OK;

    book->sorted = mem_new((count + 1) * sizeof(book->sorted[0]));
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        identify(&book->entry[i], &keys[i]);
        book->sorted[i] = &book->entry[i];
        book->count = i + 1;
        err = load_entry(book, i, why);
    }
    if (err != ERR_OK) {
        keybook_free(book);
        return err;
    }
    qsort(book->sorted, count, sizeof(book->sorted[0]), compare_entries);
    *out = book;
    return ERR_OK;
}

void
keybook_free(struct keybook *book)
{
    if (book == NULL)
        return;
    for (size_t i = 0; i < book->count; i++)
        if (book->entry[i].owner)
            keyfile_free(book->entry[i].key);
    free(book->sorted);
    free(book);
}

void
keybook_public(const struct keybook *book, size_t i, const uint8_t **der,
               size_t *len)
{
    keyfile_public(book->entry[i].key, der, len);
}

/* find - the first entry that is not below what is wanted */
static const struct entry *
find(const struct keybook *book, uint16_t service, uint8_t side, uint8_t index)
{
    size_t low = 0, high = book->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare(book->sorted[middle]->from, service, side, index) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < book->count ? book->sorted[low] : NULL;
}

static const struct keeper_key *
service_of(const struct keybook *book, uint16_t service)
{
    const struct entry *entry = find(book, service, 0, 0);

    return entry != NULL && entry->from->service == service ? entry->from
                                                            : NULL;
}

uint32_t
keybook_budget(const struct keybook *book, uint16_t service)
{
    const struct keeper_key *key = service_of(book, service);

    return key != NULL ? key->budget : 0;
}

const char *
keybook_name(const struct keybook *book, uint16_t service)
{
    const struct keeper_key *key = service_of(book, service);

    return key != NULL ? key->name : NULL;
}

const char *
keybook_answer(const struct keybook *book, uint16_t service,
               const struct keywire_request *request, size_t len,
               struct keywire_reply *reply, size_t *reply_len)
{
    const struct entry *entry;
    size_t signed_len;

    if (!keywire_request_ok(request, len))
        return "bad_request";
    entry = find(book, service, request->side, request->key);
    if (entry == NULL ||
        compare(entry->from, service, request->side, request->key) != 0)
        return "no_such_key";
    if (!keyfile_can(entry->key, (enum keywire_alg)request->alg))
        return "wrong_algorithm";
    signed_len = keyfile_sign(entry->key, (enum keywire_alg)request->alg,
                              request->data, request->len, reply->data);
    reply->status = signed_len > 0 ? KEYWIRE_OK : KEYWIRE_FAILED;
    reply->pad = 0;
    reply->len = (uint16_t)signed_len;
    *reply_len = KEYWIRE_REPLY_HEAD + signed_len;
    return NULL;
}
