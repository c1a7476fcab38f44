/* Key and value extraction on CPU in one pass over the projected inputs, forward and backward; plain C.

     keys     y_t = x_t + f y_{t-1},                  out_t = s y_t / (|y_t| + offset)        f = exp(-a), one a head
     values   y_t = (1 - c) x_{t+peek} + c x_t,       out_t = s y_t / (|y_t| + offset)        c one a head; the last
                                                                                             `peek` rows are zero
   A zero vector gives zero and takes no gradient.

   Compiled once for each (REAL, WIDTH): the element type and the width of a head are constants.

   Layout: x (batch, length, heads, WIDTH); out (batch, heads, length, WIDTH), or (heads, batch, length, WIDTH) where
   `by_head` is set; norm = |y|, the same leading sizes without WIDTH; f, c, s (heads); partial sums of their
   gradients (batch, heads), in double. All contiguous. Sequences run in parallel, each by one thread in one order, so
   the result does not depend on the number of threads.
*/

#include <math.h>
#include <string.h>

#ifdef DOUBLE
typedef double real;
#define ROOT sqrt
#else
typedef float real;
#define ROOT sqrtf
#endif

/* A head in one vector: LANES is the power of two that holds WIDTH; lanes past WIDTH are zero. */
#define LANES (WIDTH <= 2 ? 2 : WIDTH <= 4 ? 4 : WIDTH <= 8 ? 8 : WIDTH <= 16 ? 16 : WIDTH <= 32 ? 32 : 64)
_Static_assert(WIDTH <= 64, "a head has at most 64 numbers");
typedef real vec __attribute__((vector_size(LANES * sizeof(real))));

#define INLINE static inline __attribute__((always_inline))

INLINE vec load(const real *from)
{
    vec x = {0};
    memcpy(&x, from, WIDTH * sizeof(real));
    return x;
}

INLINE void store(real *to, vec x) { memcpy(to, &x, WIDTH * sizeof(real)); }

INLINE real dot(vec a, vec b)
{
    a *= b;
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++) a[lane] += a[lane + half];
    return a[0];
}

/* Place of row (sequence, head, 0) in `out`. */
INLINE long place(long sequence, long head, long batch, long heads, long length, int by_head)
{
    return (by_head ? head * batch + sequence : sequence * heads + head) * length;
}

/* out = scale y / (|y| + offset); returns |y|. */
INLINE real normalise(vec y, real scale, real offset, real *out)
{
    real norm = ROOT(dot(y, y)), factor = norm > 0 ? scale / (norm + offset) : 0 * norm;
    store(out, factor * y);
    return norm;
}

typedef struct {
    vec y, dy;
    real slope;
} Back;

/* With u = out / scale, dy = scale (g - u (u . g) (norm + offset) / norm) / (norm + offset); y is found again from
   out and norm; slope = g . u is the gradient of the scale. */
INLINE Back backward_normalise(vec out, vec g, real norm, real scale, real offset)
{
    real length = norm + offset, inverse = 1 / scale;
    Back back = {.y = inverse * length * out, .slope = inverse * dot(out, g)};
    if (norm == 0) return back;
    back.dy = (scale / length) * (g - (back.slope * inverse * length / norm) * out);
    return back;
}

void keys_forward(long batch, long length, long heads, int by_head, int threads, double offset, const real *x,
                  const real *factor, const real *scale, real *out, real *norm)
{
#pragma omp parallel for num_threads(threads)
    for (long b = 0; b < batch; b++)
        for (long h = 0; h < heads; h++) {
            long row = place(b, h, batch, heads, length, by_head);
            vec y = {0};
            for (long t = 0; t < length; t++) {
                y = load(x + ((b * length + t) * heads + h) * WIDTH) + factor[h] * y;
                norm[row + t] = normalise(y, scale[h], (real)offset, out + (row + t) * WIDTH);
            }
        }
}

/* g carried back: the gradient of y_t is its own plus f times that of y_{t+1}, and it is the gradient of x_t. */
void keys_backward(long batch, long length, long heads, int by_head, int threads, double offset, const real *factor,
                   const real *scale, const real *out, const real *norm, const real *g, real *dx, double *dfactor,
                   double *dscale)
{
#pragma omp parallel for num_threads(threads)
    for (long b = 0; b < batch; b++)
        for (long h = 0; h < heads; h++) {
            long row = place(b, h, batch, heads, length, by_head);
            vec carried = {0};
            double df = 0, ds = 0;
            for (long t = length - 1; t >= 0; t--) {
                Back back = backward_normalise(load(out + (row + t) * WIDTH), load(g + (row + t) * WIDTH),
                                               norm[row + t], scale[h], (real)offset);
                ds += back.slope;
                df += dot(carried, back.y);
                carried = back.dy + factor[h] * carried;
                store(dx + ((b * length + t) * heads + h) * WIDTH, carried);
            }
            dfactor[b * heads + h] = df;
            dscale[b * heads + h] = ds;
        }
}

void values_forward(long batch, long length, long heads, int peek, int threads, double offset, const real *x,
                    const real *mix, const real *scale, real *out, real *norm)
{
#pragma omp parallel for num_threads(threads)
    for (long b = 0; b < batch; b++)
        for (long h = 0; h < heads; h++) {
            long row = place(b, h, batch, heads, length, 0);
            for (long t = 0; t < length; t++) {
                const real *now = x + ((b * length + t) * heads + h) * WIDTH;
                vec y = {0};
                if (t + peek < length) {
                    vec later = load(now + (long)peek * heads * WIDTH);
                    y = later + mix[h] * (load(now) - later);
                }
                norm[row + t] = normalise(y, scale[h], (real)offset, out + (row + t) * WIDTH);
            }
        }
}

void values_backward(long batch, long length, long heads, int peek, int threads, double offset, const real *x,
                     const real *mix, const real *scale, const real *out, const real *norm, const real *g, real *dx,
                     double *dmix, double *dscale)
{
#pragma omp parallel for num_threads(threads)
    for (long b = 0; b < batch; b++) {
        memset(dx + b * length * heads * WIDTH, 0, length * heads * WIDTH * sizeof(real));
        for (long h = 0; h < heads; h++) {
            long row = place(b, h, batch, heads, length, 0);
            double dc = 0, ds = 0;
            for (long t = 0; t + peek < length; t++) {
                long now = ((b * length + t) * heads + h) * WIDTH, later = now + (long)peek * heads * WIDTH;
                Back back = backward_normalise(load(out + (row + t) * WIDTH), load(g + (row + t) * WIDTH),
                                               norm[row + t], scale[h], (real)offset);
                ds += back.slope;
                dc += dot(back.dy, load(x + now) - load(x + later));
                store(dx + now, load(dx + now) + mix[h] * back.dy);
                store(dx + later, load(dx + later) + (1 - mix[h]) * back.dy);
            }
            dmix[b * heads + h] = dc;
            dscale[b * heads + h] = ds;
        }
    }
}
