/* Layerwise: training deep networks block by block with local error signals.
 *
 * The whole native library as other languages see it. A context is one device; blocks live on it and
 * are driven from outside, one call per block and step:
 *
 *     layerwise_dataset_batch(dataset, indices, n, &augmentation, &x, &labels);
 *     for every block:  layerwise_block_train_step(block, x, labels, NULL, &next);  x = next;
 *     layerwise_block_train_step(output_layer, x, labels, NULL, &logits);
 *
 * Every function returns a status; layerwise_error_message() says in one sentence what went wrong in
 * the last call of this thread that failed. Handles are created by *_create or returned by a call, and
 * closed by *_close, which accepts NULL and never fails. A context and all that lives on it may be used
 * by one thread at a time; different contexts are independent. Handles keep their context's memory
 * alive, in whatever order they are closed.
 *
 * Host arrays are float32 in PyTorch's order: activations (N, C, H, W), weights (O, I, KH, KW).
 */
#ifndef LAYERWISE_H
#define LAYERWISE_H

#include <stdint.h>

#if defined(LAYERWISE_BUILD)
#define LAYERWISE_API __attribute__((visibility("default")))
#else
#define LAYERWISE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum layerwise_status {
  LAYERWISE_OK = 0,
  LAYERWISE_INVALID_ARGUMENT = 1,   /* the request cannot work */
  LAYERWISE_INVALID_STATE = 2,      /* a call in the wrong order */
  LAYERWISE_OUT_OF_MEMORY = 3,
  LAYERWISE_DEVICE_UNAVAILABLE = 4, /* no such device, or its library does not load */
  LAYERWISE_INTERNAL_ERROR = 5      /* a defect */
} layerwise_status;

/* The last failure of this thread; valid until its next failing call. Empty if there was none. */
LAYERWISE_API const char* layerwise_error_message(void);

/* "0.1.0". */
LAYERWISE_API const char* layerwise_version(void);

/* Vector extensions of this processor that the library can use: "avx2 avx512f avx512_bf16". */
LAYERWISE_API const char* layerwise_cpu_features(void);

/* ---- images -------------------------------------------------------------------------------------- */

/* What the components of a JPEG file are. */
typedef enum layerwise_jpeg_colors {
  LAYERWISE_JPEG_GREY = 1,
  LAYERWISE_JPEG_YCBCR = 2,
  LAYERWISE_JPEG_RGB = 3
} layerwise_jpeg_colors;

/* Whether JPEG files can be decoded. LAYERWISE_DEVICE_UNAVAILABLE, with a message that says what to install, where this build
 * or this machine has no libjpeg-turbo. */
LAYERWISE_API layerwise_status layerwise_jpeg_check(void);
/* Decodes a whole file to red, green and blue levels in (height, width, 3) order. LAYERWISE_INVALID_ARGUMENT where it is
 * damaged, even if most of it could be decoded, or is not of this size. Any thread may decode. */
LAYERWISE_API layerwise_status layerwise_jpeg_decode(const uint8_t* file, int64_t bytes, int32_t colors, int32_t height,
                                                     int32_t width, uint8_t* levels);
/* The same, and layerwise_image_resample of what comes out. */
LAYERWISE_API layerwise_status layerwise_jpeg_resample(const uint8_t* file, int64_t bytes, int32_t colors, int32_t height,
                                                       int32_t width, double top, double left, double box_height,
                                                       double box_width, int32_t size, int32_t flip, uint8_t* planes);
/* Resizes a box of an image, levels in (height, width, 3) order, to planes of (3, size, size), with PIL's bilinear filter.
 * flip: not 0 to mirror it left to right. Any thread may resize. */
LAYERWISE_API layerwise_status layerwise_image_resample(const uint8_t* levels, int32_t height, int32_t width, double top,
                                                        double left, double box_height, double box_width, int32_t size,
                                                        int32_t flip, uint8_t* planes);

/* ---- communicator: the processes that train one network together --------------------------------- */

/* The processes that a launcher of MPI (mpirun, srun --mpi) has started together. All of them make the same calls in the
 * same order, each of them from one thread at a time. */
typedef struct layerwise_communicator layerwise_communicator;

/* Starts MPI, which a process can do once; without a launcher there is one process. LAYERWISE_DEVICE_UNAVAILABLE, with a
 * message that says what to install, where this build or this machine has no MPI. */
LAYERWISE_API layerwise_status layerwise_communicator_create(layerwise_communicator** communicator);
/* Ends MPI when the last context that uses the communicator is closed as well. */
LAYERWISE_API void layerwise_communicator_close(layerwise_communicator* communicator);

/* Processes are numbered from 0. */
LAYERWISE_API layerwise_status layerwise_communicator_rank(const layerwise_communicator* communicator, int32_t* rank);
LAYERWISE_API layerwise_status layerwise_communicator_size(const layerwise_communicator* communicator, int32_t* size);

/* Overwrites the bytes with those of rank `root`. */
LAYERWISE_API layerwise_status layerwise_communicator_broadcast(layerwise_communicator* communicator, void* data,
                                                                int64_t bytes, int32_t root);
/* gathered: the pieces of all ranks in rank order, each of `bytes` bytes. */
LAYERWISE_API layerwise_status layerwise_communicator_all_gather(layerwise_communicator* communicator, const void* piece,
                                                                 int64_t bytes, void* gathered);
/* values: the sums over all ranks, added in rank order. */
LAYERWISE_API layerwise_status layerwise_communicator_sum(layerwise_communicator* communicator, double* values,
                                                          int64_t count);
/* LAYERWISE_INVALID_ARGUMENT on all ranks unless they all give the same value. The message says which rank's differs;
 * `what` names the value in it. */
LAYERWISE_API layerwise_status layerwise_communicator_check_equal(layerwise_communicator* communicator, const char* what,
                                                                  const char* value);
/* part: the processes that give the same group, numbered in the order of their ranks here; closed like a communicator. */
LAYERWISE_API layerwise_status layerwise_communicator_split(layerwise_communicator* communicator, int32_t group,
                                                            layerwise_communicator** part);

/* Messages between two ranks, which receive them in the order of sending. A send may wait for the other rank to receive. */
LAYERWISE_API layerwise_status layerwise_communicator_send(layerwise_communicator* communicator, const void* data,
                                                           int64_t bytes, int32_t to);
/* LAYERWISE_INTERNAL_ERROR if the next message has another size. */
LAYERWISE_API layerwise_status layerwise_communicator_receive(layerwise_communicator* communicator, void* data,
                                                              int64_t bytes, int32_t from);
/* Waits until the tensors that this process has sent are received. */
LAYERWISE_API layerwise_status layerwise_communicator_finish_sends(layerwise_communicator* communicator);
/* Ends all processes at once, this one included; the launcher returns exit_code. From any thread. */
LAYERWISE_API void layerwise_communicator_abort(layerwise_communicator* communicator, int32_t exit_code);

/* The MPI library that layerwise_communicator_create would use, such as "Open MPI v4.1.4"; fails as that does. Copies at
 * most `capacity` bytes with the closing NUL; length: the text's own, without it. */
LAYERWISE_API layerwise_status layerwise_mpi_description(char* text, int64_t capacity, int64_t* length);

/* ---- context: a device, its memory, the state of a run ------------------------------------------ */

typedef struct layerwise_context layerwise_context;

typedef enum layerwise_precision {
  LAYERWISE_PRECISION_AUTO = 0, /* bfloat16 where the device is made for it */
  LAYERWISE_PRECISION_F32 = 1,
  LAYERWISE_PRECISION_BF16 = 2, /* activations and weights as they are multiplied; sums, statistics and the weights
                                   that are updated stay float32 */
  LAYERWISE_PRECISION_F64 = 3   /* what the reference device has; nothing to ask for */
} layerwise_precision;

/* Strings are read during layerwise_context_create only. */
typedef struct layerwise_context_options {
  const char* device;     /* "cpu" (oneDNN and fused loops), "reference" (plain loops, float64), "cuda", "cuda:1", …,
                             or "cuda-on-host" (the CUDA kernels on the CPU; slow, for tests) */
  int32_t threads;        /* cpu: 0 for OMP_NUM_THREADS where that is set, and otherwise for as many as there are
                             cores that the process may use and its container's CPU quota allows */
  uint64_t seed;          /* keys every random number: initialisation, dropout, augmentation */
  int32_t precision;      /* layerwise_precision */
  const char* engine;     /* which implementation runs; every device has "auto", CUDA "fused", "hopper" and "cudnn" */
  int32_t tf32;           /* 1: float32 products may be rounded to ten bits of mantissa, on devices that can */
  const char* engine_choices; /* what layerwise_context_engine_choices gave for an earlier run; NULL: none */
  layerwise_communicator* communicator; /* NULL: this process trains alone. Otherwise data parallel: every process has a
                             slice of every batch, in rank order, and the results are those of one device with the whole
                             batch. Losses and errors in a block's metrics are this process's part: their sums over
                             processes count. CUDA devices need NCCL, and a GPU for each process */
  int32_t local_statistics; /* with a communicator: 1: batch norm and the similarity loss see each process's own samples
                             only. Faster, but another method */
  int32_t engine_reduce;  /* with a communicator: 1: gradients are added in the order that MPI chooses, which gives all
                             processes the same sum, but perhaps another in another run (not on CUDA devices); 0: in the order of ranks */
  int32_t profiled;       /* 1: time every operation by the device's own clock; steps are not recorded then */
} layerwise_context_options;

/* "cpu", threads 0, seed 0, automatic precision and engine. */
LAYERWISE_API void layerwise_context_options_defaults(layerwise_context_options* options);
/* LAYERWISE_DEVICE_UNAVAILABLE if OpenMP does not provide the threads that are asked for (OMP_THREAD_LIMIT, say). */
LAYERWISE_API layerwise_status layerwise_context_create(const layerwise_context_options* options,
                                                        layerwise_context** context);
LAYERWISE_API void layerwise_context_close(layerwise_context* context);

/* The precision that the device computes in: a layerwise_precision, never the automatic one. */
LAYERWISE_API layerwise_status layerwise_context_precision(const layerwise_context* context, int32_t* precision);

/* Which implementation was taken where timing decided, as lines of text; empty where fixed rules decide. Copies
 * at most `capacity` bytes with the closing NUL; length: the text's own, without it. */
LAYERWISE_API layerwise_status layerwise_context_engine_choices(const layerwise_context* context, char* text,
                                                                int64_t capacity, int64_t* length);

/* Sets what changes between steps: the number of the step (keys dropout and augmentation; the caller
 * counts) and the learning rate. */
LAYERWISE_API layerwise_status layerwise_context_set_step(layerwise_context* context, uint64_t step,
                                                          double learning_rate);

/* The epoch of the coming steps, counted from 1, which it is at first: decides alternating flips. */
LAYERWISE_API layerwise_status layerwise_context_set_epoch(layerwise_context* context, uint64_t epoch);

/* How many samples of the coming steps' batches are this process's. With a communicator all processes call it before they
 * train, and whenever a number changes; LAYERWISE_INVALID_ARGUMENT on all of them if one has none. Without one it need not
 * be called. */
LAYERWISE_API layerwise_status layerwise_context_set_batch(layerwise_context* context, int64_t samples);

/* Lines "operation TAB shapes TAB calls TAB seconds TAB fastest TAB flops TAB bytes", of all calls with equal shapes
 * together, but for fastest, the seconds of the quickest call; flops (of convolutions and matrix products) and bytes
 * (if everything is moved once) are those of one call. Text as for layerwise_context_engine_choices. */
LAYERWISE_API layerwise_status layerwise_context_profile(layerwise_context* context, char* text, int64_t capacity,
                                                         int64_t* length);

/* What this process has exchanged with others on this context; all zero without a communicator. */
typedef struct layerwise_exchanged {
  int64_t exchanges;      /* calls of all processes together */
  int64_t received_bytes; /* by this process, from others */
  double seconds;         /* spent in exchanges, waiting for other processes included */
} layerwise_exchanged;
LAYERWISE_API layerwise_status layerwise_context_exchanged(const layerwise_context* context,
                                                           layerwise_exchanged* exchanged);

/* Waits until the device has done all that it was given. */
LAYERWISE_API layerwise_status layerwise_context_synchronize(layerwise_context* context);

/* Steps of one kind (a number of the caller's: the batch size, say) do the same calls on tensors of the same
 * shapes. Devices that can record a step replay it: begin_step sets *replayed to 1 then, and there is nothing
 * left to do. Otherwise the caller does its calls between begin_step and end_step, reading nothing back, or
 * gives up with cancel_step. Calls need not be in a step.
 * A device may fail to record a step that works otherwise. end_step sets *again to 1 then, or cancel_step returns 1:
 * nothing of the step has been done, and the caller begins it once more. It is done without being recorded, as are all
 * later ones; a line on stderr says why. */
LAYERWISE_API layerwise_status layerwise_context_begin_step(layerwise_context* context, int64_t kind,
                                                            int32_t* replayed);
LAYERWISE_API layerwise_status layerwise_context_end_step(layerwise_context* context, int32_t* again);
LAYERWISE_API int32_t layerwise_context_cancel_step(layerwise_context* context);

typedef struct layerwise_memory {
  int64_t arena_bytes;      /* activations and temporaries, shared by all blocks */
  int64_t arena_peak_bytes; /* the most there ever was */
  int64_t parameter_bytes;  /* parameters, buffers and optimiser state of all blocks */
  int64_t dataset_bytes;    /* images and labels held on the device */
} layerwise_memory;
LAYERWISE_API layerwise_status layerwise_context_memory(const layerwise_context* context, layerwise_memory* memory);

/* Threads in use. */
LAYERWISE_API layerwise_status layerwise_context_threads(const layerwise_context* context, int32_t* threads);

/* ---- tensors: activations and labels on the device ---------------------------------------------- */

typedef struct layerwise_tensor layerwise_tensor;

/* values: n·c·h·w floats in (N, C, H, W) order. */
LAYERWISE_API layerwise_status layerwise_tensor_create(layerwise_context* context, const float* values, int64_t n,
                                                       int64_t c, int64_t h, int64_t w, layerwise_tensor** tensor);
/* labels: n class numbers. */
LAYERWISE_API layerwise_status layerwise_labels_create(layerwise_context* context, const int32_t* labels, int64_t n,
                                                       layerwise_tensor** tensor);
/* shape: N, C, H, W. */
LAYERWISE_API layerwise_status layerwise_tensor_shape(const layerwise_tensor* tensor, int64_t* shape);
/* Copies all elements into values, which holds `count` of them, in (N, C, H, W) order. */
LAYERWISE_API layerwise_status layerwise_tensor_read(const layerwise_tensor* tensor, float* values, int64_t count);
/* sum ← sum + addend, for the gradients that meet where a shortcut branches off. */
LAYERWISE_API layerwise_status layerwise_tensor_add(layerwise_tensor* sum, const layerwise_tensor* addend);
/* Begins to send a copy to another process. Waits until that has received the tensor that was sent before. */
LAYERWISE_API layerwise_status layerwise_tensor_send(layerwise_communicator* communicator, const layerwise_tensor* tensor,
                                                     int32_t to);
/* The next tensor that rank `from` sends; its device must have the precision of this one. */
LAYERWISE_API layerwise_status layerwise_tensor_receive(layerwise_context* context, layerwise_communicator* communicator,
                                                        int32_t from, layerwise_tensor** tensor);
LAYERWISE_API void layerwise_tensor_close(layerwise_tensor* tensor);

/* ---- data set: byte images resident on the device ----------------------------------------------- */

typedef struct layerwise_dataset layerwise_dataset;

/* pixels: count·channels·height·width bytes in (N, C, H, W) order; labels: count class numbers below
 * classes; mean, deviation: per channel, of pixel / 255. in_place: 1 where pixels stay valid and unchanged
 * until the data set is closed; devices whose memory is the host's then use them where they are. 0: they are
 * copied. */
LAYERWISE_API layerwise_status layerwise_dataset_create(layerwise_context* context, const uint8_t* pixels,
                                                        const int32_t* labels, int64_t count, int32_t channels,
                                                        int32_t height, int32_t width, int32_t classes,
                                                        const float* mean, const float* deviation,
                                                        int32_t in_place, layerwise_dataset** dataset);
LAYERWISE_API void layerwise_dataset_close(layerwise_dataset* dataset);

/* Random changes to training images. All zero: none. */
typedef struct layerwise_augmentation {
  int32_t crop_padding;    /* black pixels that frame an image before a random crop of its own size */
  int32_t horizontal_flip; /* 1: every second image, drawn at random, is flipped left to right; 2: half of the data set's
                              images, drawn once, in odd epochs, and the others in even ones (layerwise_context_set_epoch) */
  int32_t n_holes;         /* squares that are set to 0 after normalisation (cutout) */
  int32_t length;          /* side of such a square, in pixels */
  double mixup;            /* alpha: images are blended with others of the batch, by a share drawn from Beta(alpha, alpha) */
  double cutmix;           /* alpha: boxes of other images of the batch, whose share of the area is drawn likewise, are
                              pasted in. With both above 0, each step takes one of the two, with probability 1/2 */
} layerwise_augmentation;

/* Names the images of the next batches. */
LAYERWISE_API layerwise_status layerwise_dataset_choose(layerwise_dataset* dataset, const int32_t* indices,
                                                        int32_t count);
/* The chosen images, augmented (NULL: not) and normalised, and their labels: class numbers, or of mixed images the share
 * of each class, (n, classes). Blocks take either; errors are then counted against the class of the larger share. */
LAYERWISE_API layerwise_status layerwise_dataset_batch(layerwise_dataset* dataset,
                                                       const layerwise_augmentation* augmentation,
                                                       layerwise_tensor** images, layerwise_tensor** labels);

/* ---- blocks -------------------------------------------------------------------------------------- */

typedef struct layerwise_block layerwise_block;

typedef enum layerwise_block_kind {
  LAYERWISE_CONVOLUTION = 0, /* conv → batch norm → [+ shortcut] → activation → channel dropout → [2×2 max-pool] */
  LAYERWISE_LINEAR = 1,      /* the same with a linear layer over the flattened input and element dropout */
  LAYERWISE_OUTPUT = 2,      /* a linear layer that ends in the global cross-entropy */
  LAYERWISE_PREACTIVATION = 3, /* [element dropout →] batch norm → activation → channel dropout → conv → [+ shortcut];
                                  the local losses see another batch norm → activation of the sum */
  LAYERWISE_SHORTCUT = 4,    /* conv → [batch norm], without loss or activation: the projection on a shortcut, driven by
                                forward and backward */
  LAYERWISE_HEAD = 5         /* [batch norm → activation →] pooling of the last maps; no loss of its own */
} layerwise_block_kind;

typedef enum layerwise_loss {
  LAYERWISE_LOSS_NONE = 0, /* the block learns from what flows back to it (backpropagation) */
  LAYERWISE_LOSS_PRED = 1,
  LAYERWISE_LOSS_SIM = 2,
  LAYERWISE_LOSS_PREDSIM = 3 /* beta · sim + (1 − beta) · pred */
} layerwise_loss;

typedef enum layerwise_loss_unsup {
  LAYERWISE_LOSS_UNSUP_NONE = 0,
  LAYERWISE_LOSS_UNSUP_SIM = 1,  /* similarity matching of the block's input */
  LAYERWISE_LOSS_UNSUP_RECON = 2 /* reconstruction of the block's input */
} layerwise_loss_unsup;

typedef enum layerwise_optim {
  LAYERWISE_OPTIM_SGD = 0,
  LAYERWISE_OPTIM_ADAM = 1,
  LAYERWISE_OPTIM_AMSGRAD = 2,
  LAYERWISE_OPTIM_ADAMW = 3
} layerwise_optim;

/* Shapes: of one input sample, of the output's channels, and of the convolution between them. */
typedef struct layerwise_geometry {
  int32_t in_channels, in_height, in_width;
  int32_t out_channels;            /* output layer: the number of classes */
  int32_t kernel, stride, padding; /* convolutions only */
} layerwise_geometry;

/* What a hidden block learns from; the output layer reads label_smoothing alone. */
typedef struct layerwise_losses {
  int32_t loss;             /* layerwise_loss */
  double beta;              /* weight of sim under predsim, in [0, 1] */
  double alpha;             /* total: alpha · unsupervised + (1 − alpha) · supervised loss */
  int32_t loss_unsup;       /* layerwise_loss_unsup */
  int32_t bio;              /* 1: feedback alignment, projected binary targets, similarity of pooled maps */
  int32_t target_proj_size; /* bio: bits of a target */
  int32_t dim_in_decoder;   /* most features the local classifier sees */
  int32_t similarity_std;   /* 1: standard deviation over positions; 0: flattened maps */
  int32_t classes;
  double label_smoothing;   /* e in [0, 1): the classifier's target in training is 1 − e at the label and e/classes at every
                               class, as for PyTorch's CrossEntropyLoss(label_smoothing=e); not with bio. Metrics of training
                               then have the smoothed loss, those of evaluation never do */
} layerwise_losses;

/* The rule by which a block updates its parameters, with lr the context's learning rate times the factor of the parameter's
 * group: g ← clip · gradient + weight_decay · w, then
 * sgd:     v ← momentum · v + g;  w ← w − lr · v, or with nesterov w ← w − lr · (g + momentum · v)
 * adam:    m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;  w ← w − lr/(1−β₁ᵗ) · m / (sqrt(v)/sqrt(1−β₂ᵗ) + ε)
 * amsgrad: the same with v replaced in the last formula by max over time of v
 * adamw:   adam with g ← clip · gradient, after w ← w − lr · weight_decay · w (Loshchilov & Hutter 2019)
 * with β₁ 0.9, β₂ 0.999, ε 1e-8; t counts the block's steps from 1. clip is 1, or with clip_grad_norm
 * min(1, clip_grad_norm / (norm of all the block's gradients + 1e-6)), as in PyTorch.
 *
 * Of the parameters, an average may be kept, which the block can be switched to (layerwise_block_use_average):
 * ema_decay:       after each step a ← a + (1 − d)(w − a), with d = min(ema_decay, (1 + t)/(10 + t))
 * lookahead_steps: after every so many steps a ← a + lookahead_alpha · (w − a), then w ← a (Zhang et al. 2019) */
typedef struct layerwise_optimizer {
  int32_t optim;               /* layerwise_optim */
  double momentum;             /* sgd only, in [0, 1) */
  double weight_decay;         /* not negative */
  int32_t nesterov;            /* 1: sgd with Nesterov's momentum */
  double clip_grad_norm;       /* not negative; 0: gradients are not clipped */
  double lr_mult_batch_norm;   /* factor of the learning rate for batch norm's scales and shifts; not negative */
  double lr_mult_classifiers;  /* the same for local classifiers and the output layer; not negative */
  double ema_decay;            /* in [0, 1); 0: no such average */
  int32_t lookahead_steps;     /* 0: no such average; not with ema_decay */
  double lookahead_alpha;      /* in (0, 1] */
} layerwise_optimizer;

/* Fields that name a kind of block are read for that kind only. */
typedef struct layerwise_block_config {
  const char* name;        /* "features.0": begins every message about this block */
  int32_t index;           /* of the block in its network, 0 … 2²⁵ − 1: keys its random numbers */
  int32_t kind;            /* layerwise_block_kind */
  layerwise_geometry geometry;
  int32_t bias;            /* 0 or 1 */
  int32_t batch_norm;      /* 0 or 1 */
  double negative_slope;   /* 0: ReLU; 0.01: the LeakyReLU of the published method */
  double dropout;          /* in [0, 1) */
  int32_t max_pool;        /* 0 or 1: 2×2 max-pooling ends the block */
  int32_t normalize_input; /* preactivation: 0 leaves out what comes before the convolution (a network's first block) */
  double input_dropout;    /* preactivation: dropout of the input's elements, in [0, 1) */
  int32_t average_pool;    /* head: side of the average pooling's window; 1: none */
  int32_t affine;          /* head: 1: batch norm's scale and shift are trained; 0: they stay 1 and 0 */
  double norm_momentum;    /* head: part of the new batch in its running statistics */
  double loss_scale;       /* output layer: factor of the global loss */
  int32_t zero_start;      /* output layer: weights start at zero */
  layerwise_losses losses;
  layerwise_optimizer optimizer;
} layerwise_block_config;

/* Fills a config with the published defaults: a 3×3 convolution block, stride 1, padding 1, bias, batch
 * norm (momentum 0.1, affine), normalized input, no pooling, ReLU, predsim with beta 0.99, dim_in_decoder
 * 4096, target_proj_size 128, Adam. Sizes are left 0. */
LAYERWISE_API void layerwise_block_config_defaults(layerwise_block_config* config);

/* Parameters start from PyTorch's default initialisation, keyed by the context's seed. */
LAYERWISE_API layerwise_status layerwise_block_create(layerwise_context* context,
                                                      const layerwise_block_config* config, layerwise_block** block);
LAYERWISE_API void layerwise_block_close(layerwise_block* block);

/* One local training step: forward, the block's own loss, its gradients, its optimiser. output is
 * computed with the parameters before the update and is detached; for the output layer it is the logits
 * (N, classes). shortcut (NULL: none) is added after batch norm; d_shortcut (NULL: not wanted) receives
 * the gradient at it. A head whose scale and shift are not trained has no loss and only follows its statistics. */
LAYERWISE_API layerwise_status layerwise_block_train_step(layerwise_block* block, const layerwise_tensor* x,
                                                          const layerwise_tensor* labels,
                                                          const layerwise_tensor* shortcut,
                                                          layerwise_tensor** output, layerwise_tensor** d_shortcut);

/* Gradients that travel on: forward keeps what backward needs, the block's local losses included if it
 * has any (labels, otherwise NULL, are needed then); backward takes the gradient at the output (NULL: none
 * arrives, and the block learns from its local losses alone), gives those at the input and the shortcut
 * (d_input, d_shortcut NULL: not wanted), updates the parameters and drops what was kept. The output layer
 * has only output_train_step, which does both. */
LAYERWISE_API layerwise_status layerwise_block_forward(layerwise_block* block, const layerwise_tensor* x,
                                                       const layerwise_tensor* labels,
                                                       const layerwise_tensor* shortcut, layerwise_tensor** output);
LAYERWISE_API layerwise_status layerwise_block_backward(layerwise_block* block, const layerwise_tensor* d_output,
                                                        layerwise_tensor** d_input, layerwise_tensor** d_shortcut);
LAYERWISE_API layerwise_status layerwise_block_output_train_step(layerwise_block* block, const layerwise_tensor* x,
                                                                 const layerwise_tensor* labels,
                                                                 layerwise_tensor** d_input);

/* Evaluation mode: running statistics, no dropout. With labels, the local classifier's (the output
 * layer's) loss and errors are added to the metrics. output: as in train_step. */
LAYERWISE_API layerwise_status layerwise_block_evaluate(layerwise_block* block, const layerwise_tensor* x,
                                                        const layerwise_tensor* labels,
                                                        const layerwise_tensor* shortcut, layerwise_tensor** output);

/* Passes a batch as a training step does, with batch statistics and dropout, and moves the running statistics by it, but
 * learns nothing and measures nothing: after some batches, the running statistics are those of the block's parameters.
 * output: as in train_step. */
LAYERWISE_API layerwise_status layerwise_block_estimate_statistics(layerwise_block* block, const layerwise_tensor* x,
                                                                   const layerwise_tensor* shortcut,
                                                                   layerwise_tensor** output);

/* The logits (N, classes) of the block's local classifier in evaluation mode: a prediction after as many blocks as
 * there are up to this one. labels (NULL: none) and shortcut: as in evaluate. output (NULL: not wanted): what evaluate
 * would give, so that a pass to later blocks can go on. Fails for blocks without a classifier of the labels: without a
 * prediction loss, or with projected targets. */
LAYERWISE_API layerwise_status layerwise_block_local_logits(layerwise_block* block, const layerwise_tensor* x,
                                                            const layerwise_tensor* labels,
                                                            const layerwise_tensor* shortcut,
                                                            layerwise_tensor** logits, layerwise_tensor** output);

/* Sums over the samples that a block saw. A batch adds its mean loss times its samples; divide by samples for means. */
typedef struct layerwise_metrics {
  double similarity_loss;   /* as weighted in the block's supervised loss: times beta under predsim */
  double prediction_loss;   /* the same, times (1 − beta) under predsim; the output layer's is unweighted */
  double unsupervised_loss; /* unweighted */
  double errors;            /* samples that the (local) classifier got wrong; 0 without a classifier */
  double samples;
} layerwise_metrics;

/* Reads the sums since the last call, and starts anew. */
LAYERWISE_API layerwise_status layerwise_block_metrics(layerwise_block* block, layerwise_metrics* metrics);

/* The same sums without starting anew. */
LAYERWISE_API layerwise_status layerwise_block_metrics_so_far(layerwise_block* block, layerwise_metrics* metrics);

/* ---- what a block holds -------------------------------------------------------------------------- */

typedef enum layerwise_tensor_role {
  LAYERWISE_PARAMETER = 0,       /* trained: "encoder.weight", "bn.bias", "decoder_y.weight", … */
  LAYERWISE_BUFFER = 1,          /* kept: "bn.running_mean", … */
  LAYERWISE_OPTIMIZER_STATE = 2  /* "exp_avg.encoder.weight", "step", … */
} layerwise_tensor_role;

typedef struct layerwise_tensor_info {
  const char* name;  /* within the block; lives as long as the block */
  int32_t role;      /* layerwise_tensor_role */
  int32_t rank;      /* 0 … 4 */
  int64_t shape[4];
} layerwise_tensor_info;

LAYERWISE_API layerwise_status layerwise_block_tensor_count(const layerwise_block* block, int32_t* count);
LAYERWISE_API layerwise_status layerwise_block_tensor_info(const layerwise_block* block, int32_t position,
                                                           layerwise_tensor_info* info);
/* By name; count is the number of elements and must match. On a float32 device both are exact. */
LAYERWISE_API layerwise_status layerwise_block_tensor_read(const layerwise_block* block, const char* name,
                                                           float* values, int64_t count);
LAYERWISE_API layerwise_status layerwise_block_tensor_write(layerwise_block* block, const char* name,
                                                            const float* values, int64_t count);

/* Of several processes, each updates a part of a block's parameters, and has the optimizer's state of that part. All of them
 * call this before one reads that state. */
LAYERWISE_API layerwise_status layerwise_block_gather_optimizer_state(layerwise_block* block);

/* Where the optimizer keeps an average of the parameters: puts it in their place, and sets the trained ones and the buffers
 * aside until use_trained puts them back. Between the two the block can be evaluated, read and its statistics estimated, but
 * not trained. All processes call them together. LAYERWISE_INVALID_STATE in another order, or without an average. */
LAYERWISE_API layerwise_status layerwise_block_use_average(layerwise_block* block);
LAYERWISE_API layerwise_status layerwise_block_use_trained(layerwise_block* block);

/* ---- inspection ---------------------------------------------------------------------------------- */

/* As train_step, but without the update: keeps copies of what the step computed, to be read by name:
 * "h", "local_logits", "similarity_hidden", "similarity_target", "grad.shortcut",
 * "grad." + each parameter's name. They are kept until the block's next inspect. */
LAYERWISE_API layerwise_status layerwise_block_inspect(layerwise_block* block, const layerwise_tensor* x,
                                                       const layerwise_tensor* labels,
                                                       const layerwise_tensor* shortcut);
LAYERWISE_API layerwise_status layerwise_block_inspection_count(const layerwise_block* block, const char* name,
                                                                int64_t* count);
LAYERWISE_API layerwise_status layerwise_block_inspection_read(const layerwise_block* block, const char* name,
                                                               float* values, int64_t count);

#ifdef __cplusplus
}
#endif

#endif
