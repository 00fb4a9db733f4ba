@echo off
python "%~dp0tools\setup.py" box2d,plots,tensorboard || exit /b
if "%~1"=="" ("%~dp0.venv\Scripts\understudy.exe" tour) else ("%~dp0.venv\Scripts\understudy.exe" %*)
