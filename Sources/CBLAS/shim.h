#include <cblas.h>
#include <stddef.h>

// The parts of LAPACK that OpenBLAS carries and cblas.h does not declare. Matrices are column by column; each string is followed,
// behind all arguments, by its length.
void dsyevd_(
  const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w,
  double *work, const int *lwork, int *iwork, const int *liwork, int *info, size_t, size_t);
void dgetrf_(const int *m, const int *n, double *a, const int *lda, int *pivots, int *info);
void dgetri_(
  const int *n, double *a, const int *lda, const int *pivots, double *work, const int *lwork,
  int *info);
void dgecon_(
  const char *norm, const int *n, const double *a, const int *lda, const double *anorm,
  double *rcond, double *work, int *iwork, int *info, size_t);
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t);
void dtrtri_(
  const char *uplo, const char *diag, const int *n, double *a, const int *lda, int *info, size_t, size_t);
void dgesdd_(
  const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s, double *u,
  const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *iwork,
  int *info, size_t);
void sgesdd_(
  const char *jobz, const int *m, const int *n, float *a, const int *lda, float *s, float *u,
  const int *ldu, float *vt, const int *ldvt, float *work, const int *lwork, int *iwork, int *info,
  size_t);
void dgeqrf_(
  const int *m, const int *n, double *a, const int *lda, double *tau, double *work,
  const int *lwork, int *info);
void dorgqr_(
  const int *m, const int *n, const int *k, double *a, const int *lda, const double *tau,
  double *work, const int *lwork, int *info);
