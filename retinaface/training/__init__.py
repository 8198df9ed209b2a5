"""What only the training of the detector needs: python -m retinaface.training"""
