/* stream_plain.h - a stream's descriptors, without TLS; for the files of
 * stream.h */
#ifndef WORKER_STREAM_PLAIN_H
#define WORKER_STREAM_PLAIN_H
#include <stddef.h>
#include <sys/types.h>

struct stream;

/* stream_fail - the -ERR_* for errno of a failed call: -ERR_AGAIN for EAGAIN;
 * else it goes into stream->error, and is -ERR_RESET or -ERR_IO */
int stream_fail(struct stream *stream, int number);

/* stream_plain_read - stream_read of a plain end; of a TLS one its ciphertext,
 * when nobody will decrypt it any more */
ssize_t stream_plain_read(struct stream *stream, void *buf, size_t size);

/* stream_plain_write - stream_write of a plain end; of a TLS one its
 * ciphertext */
ssize_t stream_plain_write(struct stream *stream, const void *buf, size_t len);
#endif
