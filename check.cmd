@echo off
cd /d "%~dp0" && python tools\setup.py dev || exit /b
.venv\Scripts\python.exe tools\check.py %*
