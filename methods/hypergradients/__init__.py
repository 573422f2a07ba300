"""Methods that follow an estimate of dF(lam, y(lam))/dlam: one file an estimate, one loop for all.

A = d2G/(dlam dy), H = d2G/dy2, g = dF/dy, all at y.  Phi(y, lam, tilt): a step.  The truth is
    dF/dlam = F_lam - A H^-1 g                                                                   (1)
What the waist gives of it, for a step y - D (G_y + tilt F_y) with a symmetric D (gradient descent;
Adam too, while its moments stand still) and M = 1 - D H:
    F_lam           = grad(y, lam, 1) - grad(y, lam)                                       exact (2)
    d Phi/d tilt    = -D g, so that k tilted steps move y by -sum_{j<k} M^j D g               (3)
    A v             = the slope of grad(y, lam) as y moves along v                            (4)
    d Phi^k/d lam   = -sum_{j<k} M^j D A^T, read off F by `loss` at a lam beside lam          (5)
By (3) and (4) a slope over the tilt is A sum_j M^j D g, by (5) a slope over lam is its transpose:
the same number, at two tilted trajectories for all of lam, or at two trajectories for each axis.
States cannot be added, so each is taken along the trajectory, not at one y: they differ by what
y still moves. Where a step leaves out F (`theta=none`), (3) is 0 and (5) is not.
"""
