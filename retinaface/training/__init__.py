"""What only a training of the detector needs: python -m retinaface.training"""
