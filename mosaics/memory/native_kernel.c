/* Strictly causal retrieval for small widths on CPU, forward and backward; plain C with GCC / Clang vectors.

     out_T = sum_{t < T} w_Tt v_t,   w_Tt = e_Tt / sum_u e_Tu,   e_Tt = 2^(s_Tt - top_T)
     top_T = max_{t < T} s_Tt

     s_Tt = scale (q_T . k_t + b_t),   b_t = -|k_t|^2 / 2 (gaussian) or 0 (dot)
     scale = 2 beta / ln 2 (gaussian) or beta / ln 2 (dot)

   Compiled once for each (REAL, KEY, VALUE): the element type and the two widths are constants, so every loop
   over a width unrolls. The lanes of a vector are stored pairs t; ROWS steps T share each load of a block.

   Layout: query, key (items, length, KEY), value, out (items, length, VALUE), top and inverse = 1 / sum
   (items, length), scale and slope (items), all contiguous. An item is one memory of one sequence; items run in
   parallel, each by one thread in one order, so the result does not depend on the number of threads. NaN and
   inf spread as in the equations; pairs t >= T never reach step T, NaN or not. Both functions return 0, or 1
   when out of memory.
*/

#include <float.h>
#include <stdint.h>
#include <stdlib.h>

#ifdef DOUBLE
typedef double real;
typedef int64_t word;
#define MANTISSA 52
#define BIAS 1023
#define LOWEST (-DBL_MAX)
#define COEFFICIENTS                                                                                        \
    1.0, 0.69314718055994569675, 0.24022650695910098006, 0.055504108664790394528, 0.0096181291076070026171, \
        0.001333355815343996974, 0.00015403530441571850099, 1.525272738518977478e-5,                        \
        1.3215442675452855182e-6, 1.0180647660573069343e-7, 7.0725703945407994337e-9,                       \
        4.0780717860928704165e-10
#define DEGREE 11
#else
typedef float real;
typedef int32_t word;
#define MANTISSA 23
#define BIAS 127
#define LOWEST (-FLT_MAX)
#define COEFFICIENTS                                                                              \
    1.0f, 0.6931469775998929f, 0.24022242085605758f, 0.05550733743906445f, 0.009671512635223048f, \
        0.0013264726850924528f
#define DEGREE 5
#endif

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif

#define LANES ((int)(BYTES / sizeof(real)))
#define WIDTH (KEY + 1 + VALUE)       /* a packed block: KEY vectors of keys, one of b, VALUE of values */
#define ROWS (LANES < 4 ? LANES : 4)  /* divides LANES: the steps of one group end in one block */
#define LN2 0.69314718055994530942
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

typedef real vec __attribute__((vector_size(BYTES)));
typedef word mask __attribute__((vector_size(BYTES)));

INLINE vec fill(real x) { return x - (vec){0}; }

INLINE vec pick(mask take, vec yes, vec no) { return (vec)((take & (mask)yes) | (~take & (mask)no)); }

INLINE vec larger(vec a, vec b) { return pick(a > b, a, b); } /* b where either is NaN */

/* 2^x for x <= 0: x = n + f, |f| <= 1/2, minimax polynomial in f (relative error below 1e-7, or 2e-17 in
   double), n placed in the exponent. The sum with `magic` rounds x to n and leaves n + BIAS in the low bits.
   x below -BIAS / 2 counts as -BIAS, whose exponent bits mean 0: a weight under 2^-63 of the largest changes no sum, and
   its products in the backward pass would be denormal numbers, which processors handle a hundred times slower. */
INLINE vec exp2_negative(vec x)
{
    static const real coefficient[DEGREE + 1] = {COEFFICIENTS};
    const vec magic = fill((real)((word)3 << (MANTISSA - 1)) + BIAS);
    x = pick(x < -BIAS / 2, fill(-BIAS), x);
    vec shifted = x + magic;
    vec fraction = x - (shifted - magic);
    vec power = fill(coefficient[DEGREE]);
    UNROLL for (int n = DEGREE - 1; n >= 0; n--) power = power * fraction + coefficient[n];
    return power * (vec)((mask)shifted << MANTISSA);
}

INLINE real sum_of_lanes(vec x)
{
    UNROLL for (int half = LANES / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++) x[lane] += x[lane + half];
    return x[0];
}

INLINE real max_of_lanes(vec x)
{
    UNROLL for (int half = LANES / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++) x[lane] = x[lane] > x[lane + half] ? x[lane] : x[lane + half];
    return x[0];
}

/* Lay the pairs of one item out in blocks of LANES: keys, b, values; lanes past the end are zero. */
static void pack(long length, const real *key, const real *value, real scale, int gaussian, vec *packed)
{
    for (long block = 0; block * LANES < length; block++, packed += WIDTH) {
        for (int c = 0; c < WIDTH; c++) packed[c] = fill(0);
        for (int lane = 0; lane < LANES && block * LANES + lane < length; lane++) {
            long t = block * LANES + lane;
            for (int c = 0; c < KEY; c++) packed[c][lane] = key[t * KEY + c];
            for (int c = 0; c < VALUE; c++) packed[KEY + 1 + c][lane] = value[t * VALUE + c];
        }
        for (int c = 0; c < KEY && gaussian; c++) packed[KEY] -= (scale / 2) * packed[c] * packed[c];
    }
}

/* Lanes of the block that holds step T which belong to pairs t < T. */
INLINE mask before(long step)
{
    mask lane;
    for (int i = 0; i < LANES; i++) lane[i] = i;
    return lane < (word)(step % LANES);
}

/* ROWS steps from `first` on; steps past the end are zero and are never written back. */
INLINE void load_rows(vec *rows, const real *source, int width, long first, long length, real scale)
{
    UNROLL for (int r = 0; r < ROWS; r++)
        UNROLL for (int c = 0; c < width; c++)
            rows[r * width + c] = fill(first + r < length ? scale * source[(first + r) * width + c] : 0);
}

INLINE vec score(const vec *pairs, const vec *query)
{
    vec s = pairs[KEY];
    UNROLL for (int c = 0; c < KEY; c++) s += query[c] * pairs[c];
    return s;
}

/* Pass 1 over one block: scores to `scores`, running maxima to `top`. `seen` is given for the block that the
   steps stand in and marks the pairs before each of them. */
INLINE void score_rows(const vec *pairs, const vec *query, vec *scores, vec *top, const mask *seen)
{
    UNROLL for (int r = 0; r < ROWS; r++) {
        vec s = score(pairs, query + r * KEY);
        if (seen) s = pick(seen[r], s, fill(-__builtin_inff()));
        scores[r] = s;
        top[r] = larger(s, top[r]);
    }
}

/* Pass 2 over one block: sums of e v and of e, VALUE + 1 vectors a row. */
INLINE void average_rows(const vec *pairs, const vec *scores, const vec *top, vec *sums, const mask *seen)
{
    UNROLL for (int r = 0; r < ROWS; r++) {
        vec e = exp2_negative(scores[r] - top[r]);
        sums[r * (VALUE + 1) + VALUE] += e;
        UNROLL for (int c = 0; c < VALUE; c++) {
            vec term = e * pairs[KEY + 1 + c];
            sums[r * (VALUE + 1) + c] += seen ? pick(seen[r], term, fill(0)) : term;
        }
    }
}

static void forward_item(long length, const real *query, real scale, const vec *packed, vec *scores,
                         real *out, real *top_out, real *inverse_out)
{
    for (long first = 0; first < length; first += ROWS) {
        vec q[ROWS * KEY], top[ROWS], sums[ROWS * (VALUE + 1)];
        mask seen[ROWS];
        long full = first / LANES;
        load_rows(q, query, KEY, first, length, scale);
        for (int r = 0; r < ROWS; r++) top[r] = fill(LOWEST), seen[r] = before(first + r);
        for (int i = 0; i < ROWS * (VALUE + 1); i++) sums[i] = fill(0);
        for (long block = 0; block < full; block++)
            score_rows(packed + block * WIDTH, q, scores + block * ROWS, top, 0);
        score_rows(packed + full * WIDTH, q, scores + full * ROWS, top, seen);
        for (int r = 0; r < ROWS; r++) top[r] = fill(max_of_lanes(top[r]));
        for (long block = 0; block < full; block++)
            average_rows(packed + block * WIDTH, scores + block * ROWS, top, sums, 0);
        average_rows(packed + full * WIDTH, scores + full * ROWS, top, sums, seen);
        for (long step = first; step < first + ROWS && step < length; step++) {
            const vec *row = sums + (step - first) * (VALUE + 1);
            real inverse = step ? 1 / sum_of_lanes(row[VALUE]) : 0;
            for (int c = 0; c < VALUE; c++) out[step * VALUE + c] = step ? inverse * sum_of_lanes(row[c]) : 0;
            top_out[step] = top[step - first][0];
            inverse_out[step] = inverse;
        }
    }
}

int forward(long items, long length, int gaussian, int threads, const real *query, const real *key,
            const real *value, const real *scale, real *out, real *top, real *inverse)
{
    long blocks = (length + LANES - 1) / LANES;
    int failed = 0;
#pragma omp parallel num_threads(threads)
    {
        vec *packed = aligned_alloc(BYTES, blocks * (WIDTH + ROWS) * sizeof(vec));
#pragma omp for schedule(dynamic)
        for (long i = 0; i < items; i++) {
            if (!packed) {
#pragma omp atomic write
                failed = 1;
                continue;
            }
            long at = i * length;
            pack(length, key + at * KEY, value + at * VALUE, scale[i], gaussian, packed);
            forward_item(length, query + at * KEY, scale[i], packed, packed + blocks * WIDTH,
                         out + at * VALUE, top + at, inverse + at);
        }
        free(packed);
    }
    return failed;
}

/* One block of the backward pass. With g = dOut / sum and delta = out . g, ds = e (g . v - delta) is the
   gradient of the score: dq += ds k for each row; dk += ds q, db += ds, dv += e g for each pair. */
INLINE void backward_rows(const vec *pairs, vec *gradient, const vec *query, const vec *top, const vec *g,
                          const vec *delta, vec *dq, const mask *seen)
{
    vec e[ROWS], ds[ROWS];
    UNROLL for (int r = 0; r < ROWS; r++) {
        vec slope = -delta[r];
        UNROLL for (int c = 0; c < VALUE; c++) slope += g[r * VALUE + c] * pairs[KEY + 1 + c];
        e[r] = exp2_negative(score(pairs, query + r * KEY) - top[r]);
        ds[r] = e[r] * slope;
        if (seen) e[r] = pick(seen[r], e[r], fill(0)), ds[r] = pick(seen[r], ds[r], fill(0));
        gradient[KEY] += ds[r];
    }
#define ADD(target, term) target += seen ? pick(seen[r], term, fill(0)) : (term)
    UNROLL for (int c = 0; c < KEY; c++)
        UNROLL for (int r = 0; r < ROWS; r++) {
            ADD(gradient[c], ds[r] * query[r * KEY + c]);
            ADD(dq[r * KEY + c], ds[r] * pairs[c]);
        }
    UNROLL for (int c = 0; c < VALUE; c++)
        UNROLL for (int r = 0; r < ROWS; r++) ADD(gradient[KEY + 1 + c], e[r] * g[r * VALUE + c]);
#undef ADD
}

/* Sums of one item to `gradient` and dquery; returns sum_T q_T . sum_t ds_Tt k_t. */
static double backward_item(long length, const real *query, real scale, const vec *packed, vec *gradient,
                            const real *out, const real *top_in, const real *inverse, const real *dout,
                            real *dquery)
{
    double slope = 0;
    for (long first = 0; first < length; first += ROWS) {
        vec q[ROWS * KEY], top[ROWS], g[ROWS * VALUE], delta[ROWS], dq[ROWS * KEY];
        mask seen[ROWS];
        long full = first / LANES;
        load_rows(q, query, KEY, first, length, scale);
        load_rows(g, dout, VALUE, first, length, 1);
        load_rows(top, top_in, 1, first, length, 1);
        for (int r = 0; r < ROWS; r++) {
            long step = first + r;
            seen[r] = before(step);
            delta[r] = fill(0);
            for (int c = 0; c < VALUE && step < length; c++) {
                g[r * VALUE + c] *= inverse[step];
                delta[r] += out[step * VALUE + c] * g[r * VALUE + c];
            }
        }
        for (int i = 0; i < ROWS * KEY; i++) dq[i] = fill(0);
        for (long block = 0; block < full; block++)
            backward_rows(packed + block * WIDTH, gradient + block * WIDTH, q, top, g, delta, dq, 0);
        backward_rows(packed + full * WIDTH, gradient + full * WIDTH, q, top, g, delta, dq, seen);
        for (long at = first * KEY; at < (first + ROWS) * KEY && at < length * KEY; at++) {
            real total = sum_of_lanes(dq[at - first * KEY]);
            slope += (double)query[at] * total;
            dquery[at] = (real)LN2 * scale * total;
        }
    }
    return slope;
}

/* Gradients of one item from the sums of `gradient`; returns sum_t b_t db_t. */
static double unpack(long length, const real *key, real scale, int gaussian, const vec *gradient, real *dkey,
                     real *dvalue)
{
    double slope = 0;
    for (long t = 0; t < length; t++) {
        const vec *block = gradient + t / LANES * WIDTH;
        int lane = t % LANES;
        real db = gaussian ? block[KEY][lane] : 0;
        for (int c = 0; c < KEY; c++) {
            real k = key[t * KEY + c];
            dkey[t * KEY + c] = (real)LN2 * (block[c][lane] - (gaussian ? scale * db * k : 0));
            slope -= gaussian ? 0.5 * k * k * db : 0;
        }
        for (int c = 0; c < VALUE; c++) dvalue[t * VALUE + c] = block[KEY + 1 + c][lane];
    }
    return slope;
}

/* slope is the gradient of scale ln 2, one number an item. */
int backward(long items, long length, int gaussian, int threads, const real *query, const real *key,
             const real *value, const real *scale, const real *out, const real *top, const real *inverse,
             const real *dout, real *dquery, real *dkey, real *dvalue, real *slope)
{
    long blocks = (length + LANES - 1) / LANES;
    int failed = 0;
#pragma omp parallel num_threads(threads)
    {
        vec *packed = aligned_alloc(BYTES, 2 * blocks * WIDTH * sizeof(vec));
        vec *gradient = packed + blocks * WIDTH;
#pragma omp for schedule(dynamic)
        for (long i = 0; i < items; i++) {
            if (!packed) {
#pragma omp atomic write
                failed = 1;
                continue;
            }
            long at = i * length;
            pack(length, key + at * KEY, value + at * VALUE, scale[i], gaussian, packed);
            for (long n = 0; n < blocks * WIDTH; n++) gradient[n] = fill(0);
            slope[i] = backward_item(length, query + at * KEY, scale[i], packed, gradient, out + at * VALUE,
                                     top + at, inverse + at, dout + at * VALUE, dquery + at * KEY);
            slope[i] += unpack(length, key + at * KEY, scale[i], gaussian, gradient, dkey + at * KEY,
                               dvalue + at * VALUE);
        }
        free(packed);
    }
    return failed;
}
